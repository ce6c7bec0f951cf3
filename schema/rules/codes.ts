import { parse, type Source } from '../../tools/architecture/source.ts';

/** Where a code, or the type of a refusal with facts, is written in the source. */
export interface Thrown {
  code: string;
  file: string;
}

export interface Refusals {
  thrown: Thrown[];
  /** `typename` of those that carry facts. */
  types: string[];
  /** Everything in capitals that is written as a text: a code that is not even here is dead. */
  mentioned: ReadonlySet<string>;
}

interface Node {
  type: string;
  [field: string]: unknown;
}

/** A function whose parameter at `index` ends up as the code of a Problem. */
interface Carrier {
  name: string;
  index: number;
}

const CODE = /^[A-Z][A-Z0-9]*(_[A-Z0-9]+)*$/;

/**
 * The codes these files throw: written in `new Problem`, or handed to a function of theirs that makes one of it. A code that is passed on from
 * what was caught or stored is not seen; it was written somewhere else.
 */
export function readRefusals(sources: readonly Source[]): Refusals {
  const programs = sources.map((source) => ({ file: source.file, program: parse(source).program as unknown as Node }));
  const carriers: Carrier[] = [{ name: 'Problem', index: 0 }];
  const thrown: Thrown[] = [];
  const types = new Set<string>();
  const mentioned = new Set<string>();
  // Carriers that are found on the way are looked for in their turn, from the first file again.
  for (let at = 0; at < carriers.length; at += 1) {
    const { name, index } = carriers[at]!;
    for (const { file, program } of programs) {
      walk(program, [], (node, above) => {
        if (at === 0 && node.type === 'Literal' && typeof node['value'] === 'string' && CODE.test(node['value']))
          mentioned.add(node['value']);
        if (!callsNamed(node, name)) return;
        const given = (node['arguments'] as Node[])[index];
        for (const value of possibleValues(given)) {
          if (value.type === 'Literal' && typeof value['value'] === 'string') thrown.push({ code: value['value'], file });
          const found = value.type === 'Identifier' ? carrierOf(String(value['name']), above) : undefined;
          if (found && !carriers.some((each) => each.name === found.name && each.index === found.index)) carriers.push(found);
        }
        if (at === 0) for (const type of typenamesIn(node)) types.add(type);
      });
    }
  }
  return { thrown, types: [...types], mentioned };
}

function walk(node: Node, above: readonly Node[], visit: (node: Node, above: readonly Node[]) => void): void {
  visit(node, above);
  const inside = [node, ...above];
  for (const value of Object.values(node)) {
    for (const child of Array.isArray(value) ? value : [value]) if (isNode(child)) walk(child, inside, visit);
  }
}

const isNode = (value: unknown): value is Node => typeof value === 'object' && value !== null && typeof (value as Node).type === 'string';

const callsNamed = ({ type, callee }: Node, name: string): boolean =>
  (type === 'NewExpression' || type === 'CallExpression') && isNode(callee) && callee.type === 'Identifier' && callee['name'] === name;

/** Both sides of a choice; the expression itself without the types around it. */
function possibleValues(node: Node | undefined): Node[] {
  if (!node) return [];
  if (node.type === 'ConditionalExpression') return [node['consequent'], node['alternate']].flatMap((side) => possibleValues(side as Node));
  if (node.type === 'LogicalExpression') return [node['left'], node['right']].flatMap((side) => possibleValues(side as Node));
  if (/^(TS(As|Satisfies|NonNull)|Parenthesized)/.test(node.type)) return possibleValues(node['expression'] as Node);
  return [node];
}

/** The innermost function around a place that has a parameter of this name, if it is one that can be called by name. */
function carrierOf(parameter: string, above: readonly Node[]): Carrier | undefined {
  for (const [depth, node] of above.entries()) {
    if (!/Function/.test(node.type) || !Array.isArray(node['params'])) continue;
    const index = (node['params'] as Node[]).findIndex((each) => nameOf(each) === parameter);
    if (index < 0) continue;
    const declared = isNode(node['id']) ? node : above[depth + 1];
    const name = declared && isNode(declared['id']) ? nameOf(declared['id']) : undefined;
    return name === undefined ? undefined : { name, index };
  }
  return undefined;
}

function nameOf(node: Node): string | undefined {
  if (node.type === 'AssignmentPattern') return nameOf(node['left'] as Node);
  return node.type === 'Identifier' ? String(node['name']) : undefined;
}

function typenamesIn(node: Node): string[] {
  const found: string[] = [];
  walk(node, [], ({ type, key, value }) => {
    if (type !== 'Property' || !isNode(key) || !isNode(value) || key['name'] !== 'typename') return;
    for (const each of possibleValues(value)) if (each.type === 'Literal' && typeof each['value'] === 'string') found.push(each['value']);
  });
  return found;
}
