import { plainValue, type Input } from './inputs.ts';
import type { Condition, RandomOperation, Selection } from './operations.ts';

interface Paper {
  /** By definition and value: equal pairs share a variable. */
  definitions: Map<string, { name: string; definition: string }>;
  variables: Record<string, unknown>;
  /** Source of a fragment to its name: equal fragments are one, spread several times. */
  fragments: Map<string, string>;
  /** Meanings of a response key in the operation; the first one gets no number. */
  meanings: Map<string, string[]>;
}

/** The operation as text. Response keys get numbers where they would stand for two fields. */
export function printOperation(kind: 'query' | 'mutation' | 'subscription', selections: Selection[]): RandomOperation {
  const paper: Paper = { definitions: new Map(), variables: {}, fragments: new Map(), meanings: new Map() };
  const body = printSelections(selections, paper);
  const variables = [...paper.definitions.values()].map(({ name, definition }) => `$${name}: ${definition}`);
  const fragments = [...paper.fragments].map(([text, name]) => `fragment ${name} ${text}`);
  const head = variables.length > 0 ? `${kind}(${variables.join(', ')})` : kind;
  return { source: [`${head} ${body}`, ...fragments].join('\n'), variables: paper.variables };
}

const printSelections = (selections: Selection[], paper: Paper): string =>
  `{ ${selections.map((selection) => printSelection(selection, paper)).join(' ')} }`;

function printSelection(selection: Selection, paper: Paper): string {
  const conditions = selection.conditions.map((condition) => printCondition(condition, paper)).join('');
  if (selection.kind === 'fragment') {
    const below = printSelections(selection.selections, paper);
    if (selection.on === null) return `...${conditions} ${below}`;
    if (!selection.named) return `... on ${selection.on}${conditions} ${below}`;
    return `...${fragmentName(`on ${selection.on} ${below}`, paper)}${conditions}`;
  }
  const given = selection.arguments.map(([name, input]) => `${name}: ${printInput(input, paper)}`);
  const field = given.length > 0 ? `${selection.name}(${given.join(', ')})` : selection.name;
  const name = responseName(selection.alias ?? selection.name, `${field}: ${selection.type}`, paper);
  const below = selection.selections.length > 0 ? ` ${printSelections(selection.selections, paper)}` : '';
  return `${name === selection.name ? '' : `${name}: `}${field}${conditions}${below}`;
}

function responseName(wanted: string, meaning: string, { meanings }: Paper): string {
  const known = meanings.get(wanted) ?? [];
  if (!known.includes(meaning)) meanings.set(wanted, [...known, meaning]);
  const index = (meanings.get(wanted) ?? []).indexOf(meaning);
  return index === 0 ? wanted : `${wanted}_${index}`;
}

const printCondition = ({ directive, input }: Condition, paper: Paper): string => ` @${directive}(if: ${printInput(input, paper)})`;

function fragmentName(text: string, { fragments }: Paper): string {
  if (!fragments.has(text)) fragments.set(text, `F${fragments.size}`);
  return fragments.get(text) ?? '';
}

function printInput(input: Input, paper: Paper): string {
  const { type, passing } = input;
  if (passing === 'literal') return printLiteral(input, paper);
  if (passing === 'missing') return printVariable(type, undefined, paper);
  if (passing === 'default') return printVariable(`${type.replace(/!$/, '')} = ${printLiteral(input)}`, undefined, paper);
  return printVariable(type, plainValue(input), paper);
}

function printVariable(definition: string, value: unknown, { definitions, variables }: Paper): string {
  const key = `${definition} ${JSON.stringify(value)}`;
  const { name } = definitions.get(key) ?? { name: `v${definitions.size}` };
  definitions.set(key, { name, definition });
  if (value !== undefined) variables[name] = value;
  return `$${name}`;
}

/** Undefined where no variables are allowed, as in default values. */
function printLiteral({ value }: Input, paper?: Paper): string {
  const print = (input: Input): string => (paper ? printInput(input, paper) : printLiteral(input));
  if (value.kind === 'leaf') return printJson(value.value);
  if (value.kind === 'enum') return value.name;
  if (value.kind === 'list') return `[${value.entries.map(print).join(', ')}]`;
  if (value.kind === 'object') return `{${value.fields.map(([name, input]) => `${name}: ${print(input)}`).join(', ')}}`;
  return 'null';
}

/** JSON as a GraphQL literal. */
function printJson(value: unknown): string {
  if (Array.isArray(value)) return `[${value.map(printJson).join(', ')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  return `{${Object.entries(value)
    .map(([name, each]) => `${name}: ${printJson(each)}`)
    .join(', ')}}`;
}
