import { z } from 'zod';
import { notFound, Problem, type InputPath } from '#shared/base/errors.ts';
import { list, text } from '#shared/base/input.ts';
import type { AttributeType } from '../attribute-types.ts';
import type { Attribute, AttributeOption, Value } from '../model.ts';

export const AttributeValueInput = z.object({
  attributeId: z.string(),
  text: text({ min: 1, max: 200 }).nullish(),
  number: z.number('must be a number').nullish(),
  boolean: z.boolean().nullish(),
  options: list(z.string(), { max: 50 }).nullish(),
});
export type AttributeValueInput = z.infer<typeof AttributeValueInput>;

export interface CheckedValue {
  attributeId: string;
  value: Value;
}

type Field = 'text' | 'number' | 'boolean' | 'options';

interface Kind {
  /** The field of the input such values come in. */
  field: Field;
  /** The value as it is kept, or why it is none. */
  check(given: never, attribute: Attribute): { value: Value } | { refusal: string };
}

const optionOf = ({ options }: Attribute, value: string): AttributeOption | undefined => options.find((option) => option.value === value);

const single: Kind = {
  field: 'options',
  check: (given: string[], attribute) =>
    given.length === 1 && optionOf(attribute, given[0]!)
      ? { value: given[0]! }
      : { refusal: 'must be exactly one of the options of this attribute' },
};

/** Each type says itself what it takes, so that nothing else asks which type it has. */
const KINDS: Record<AttributeType, Kind> = {
  TEXT: { field: 'text', check: (given: string) => ({ value: given }) },
  NUMBER: { field: 'number', check: (given: number) => (Number.isFinite(given) ? { value: given + 0 } : { refusal: 'must be a number' }) },
  BOOLEAN: { field: 'boolean', check: (given: boolean) => ({ value: given }) },
  SELECT: single,
  COLOUR: single,
  MULTISELECT: {
    field: 'options',
    check: (given: string[], attribute) => {
      const chosen = attribute.options.map(({ value }) => value).filter((value) => given.includes(value));
      return chosen.length > 0 && chosen.length === new Set(given).size
        ? { value: chosen }
        : { refusal: 'must be some of the options of this attribute' };
    },
  },
};

const FIELDS: readonly Field[] = ['text', 'number', 'boolean', 'options'];

/** A value of the attribute's type, or the refusal that names the field it came in. */
export function checkValue(attribute: Attribute, input: AttributeValueInput, path: InputPath): CheckedValue {
  const { field, check } = KINDS[attribute.type];
  const given = FIELDS.filter((name) => input[name] !== null && input[name] !== undefined);
  if (given.length !== 1 || given[0] !== field) {
    throw new Problem('INVALID', `The attribute ${attribute.name} takes ${field} and nothing else.`, {
      path: [...path, given.find((name) => name !== field) ?? field],
    });
  }
  const checked = check(input[field] as never, attribute);
  if ('refusal' in checked) throw new Problem('INVALID', `${attribute.name} ${checked.refusal}.`, { path: [...path, field] });
  return { attributeId: attribute._id, value: checked.value };
}

/** The definition, if products of this vendor may have it. */
export function requireAttribute(attributes: ReadonlyMap<string, Attribute>, id: string, vendorId: string, path: InputPath): Attribute {
  const found = attributes.get(id);
  if (!found || (found.vendorId !== null && found.vendorId !== vendorId)) throw notFound('ProductAttribute', id, path);
  return found;
}

/** How a value reads for people. */
export function textOf(attribute: Attribute, value: Value): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  if (typeof value === 'number') return attribute.unit ? `${value} ${attribute.unit}` : String(value);
  return [value]
    .flat()
    .map((each) => optionOf(attribute, each)?.label ?? each)
    .join(', ');
}

export const optionsOf = (attribute: Attribute, value: Value): AttributeOption[] =>
  KINDS[attribute.type].field === 'options' ? attribute.options.filter((option) => [value].flat().includes(option.value)) : [];

/** Two variants are the same when this is the same. */
export const axisKey = (axes: readonly CheckedValue[]): string =>
  JSON.stringify([...axes].sort((a, b) => (a.attributeId < b.attributeId ? -1 : 1)).map(({ attributeId, value }) => [attributeId, value]));
