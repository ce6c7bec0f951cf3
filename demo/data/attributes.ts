import type { Attribute } from './types.ts';

type Definition = Omit<Attribute, 'code' | 'filterable' | 'variantAxis'>;

const text = (name: string): Definition => ({ name, kind: 'TEXT' });
const number = (name: string, unit: string): Definition => ({ name, kind: 'NUMBER', unit });
const yesNo = (name: string): Definition => ({ name, kind: 'BOOLEAN' });

/** A buyer picks one of these, and gets another variant. */
const axes = {
  weight: text('Weight'),
  volume: text('Volume'),
  size: text('Size'),
  colour: text('Colour'),
  length: text('Length'),
  pack: text('Pack'),
  storage: text('Storage'),
  power: text('Power'),
  design: text('Design'),
  flavour: text('Flavour'),
  scent: text('Scent'),
};

/** True of the product as a whole. */
const facts = {
  brand: text('Brand'),
  material: text('Material'),
  origin: text('Origin'),
  grade: text('Grade'),
  variety: text('Variety'),
  connector: text('Connector'),
  finish: text('Finish'),
  suits: text('Suits'),
  diameter: number('Diameter', 'cm'),
  gauge: number('Thickness', 'mm'),
  battery: number('Battery', 'mAh'),
  warranty: number('Warranty', 'months'),
  maturity: number('Days to maturity', 'days'),
  handmade: yesNo('Handmade'),
  organic: yesNo('Grown without chemicals'),
  chilled: yesNo('Kept cold'),
  dualSim: yesNo('Dual SIM'),
};

/** As various as the products: a filter by them would list every value once. */
const NOT_FILTERABLE = new Set(['design', 'length']);

export type AttributeCode = keyof typeof axes | keyof typeof facts;

const define =
  (variantAxis: boolean) =>
  ([code, definition]: [string, Definition]): Attribute => ({
    code,
    ...definition,
    filterable: !NOT_FILTERABLE.has(code),
    variantAxis,
  });

export const attributes: Attribute[] = [...Object.entries(axes).map(define(true)), ...Object.entries(facts).map(define(false))];
