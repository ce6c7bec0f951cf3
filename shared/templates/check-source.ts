import Handlebars from 'handlebars';
import type { Part } from './define-templates.ts';

/*
 * What a template may do: show its params and those of the sender, `if`, `unless` and `each`, and the helpers of `render.ts`. Everything else
 * (partials, raw output, `lookup`, paths upward, names of prototypes) is refused when the subgraph is loaded.
 */

interface Place {
  file: string;
  variables: readonly string[];
  part: Part;
  /** For the layout: what may be shown unescaped. */
  raw?: readonly string[];
}

/** Variables that the sender adds. */
const SENDER_VARIABLES = ['publicUrl', 'locale'];
const HELPERS = ['date', 'link'];
const BLOCKS = ['if', 'unless', 'each'];
const FORBIDDEN = /^(__\w+__|constructor|prototype)$/;

interface Scope {
  place: Place;
  /** Within `each`, names are those of the item. */
  isItem: boolean;
}

/** Throws one line that names the file and what is wrong. */
export function checkSource(text: string, place: Place): void {
  let program: hbs.AST.Program;
  try {
    program = Handlebars.parse(text);
  } catch (error) {
    throw refused(place, (error as Error).message.replaceAll(/\s+/g, ' '));
  }
  visit(program, { place, isItem: false });
}

const refused = ({ file }: Place, why: string): Error => new Error(`templates/${file}: ${why}`);

function visit(node: hbs.AST.Node, scope: Scope): void {
  switch (node.type) {
    case 'Program':
      return (node as hbs.AST.Program).body.forEach((each) => visit(each, scope));
    case 'ContentStatement':
    case 'CommentStatement':
      return undefined;
    case 'MustacheStatement':
      return visitOutput(node as hbs.AST.MustacheStatement, scope);
    case 'BlockStatement':
      return visitBlock(node as hbs.AST.BlockStatement, scope);
    default:
      throw refused(scope.place, `${node.type} is not allowed in a template.`);
  }
}

function visitOutput({ path, params, hash, escaped }: hbs.AST.MustacheStatement, scope: Scope): void {
  const name = (path as hbs.AST.PathExpression).original as string;
  if (!escaped && !scope.place.raw?.includes(name)) throw refused(scope.place, `{{{${name}}}} would not be escaped: use two braces.`);
  const isCall = params.length > 0 || (hash?.pairs.length ?? 0) > 0;
  if (isCall && !HELPERS.includes(name)) throw refused(scope.place, `there is no helper ${name}. There are: ${HELPERS.join(', ')}.`);
  if (!isCall) visitValue(path as hbs.AST.Expression, scope);
  visitArguments(params, hash, scope);
}

function visitBlock({ path, params, hash, program, inverse }: hbs.AST.BlockStatement, scope: Scope): void {
  const name = (path as hbs.AST.PathExpression).original as string;
  if (!BLOCKS.includes(name)) throw refused(scope.place, `there is no block ${name}. There are: ${BLOCKS.join(', ')}.`);
  visitArguments(params, hash, scope);
  visit(program, name === 'each' ? { ...scope, isItem: true } : scope);
  // `{{else}}` of a block without a body has none.
  if (inverse) visit(inverse, scope);
}

function visitArguments(params: readonly hbs.AST.Expression[], hash: hbs.AST.Hash | undefined, scope: Scope): void {
  for (const each of [...params, ...(hash?.pairs ?? []).map(({ value }) => value)]) visitValue(each, scope);
}

function visitValue(node: hbs.AST.Expression, { place, isItem }: Scope): void {
  if (node.type === 'StringLiteral' || node.type === 'NumberLiteral') return;
  if (node.type !== 'PathExpression') throw refused(place, `${node.type} is not allowed in a template.`);
  const { original, parts, depth, data } = node as hbs.AST.PathExpression;
  const names = parts as string[];
  if (depth > 0 || data || names.some((name) => FORBIDDEN.test(name)))
    throw refused(place, `${String(original)} is not allowed in a template.`);
  if (isItem) return;
  const known = [...place.variables, ...SENDER_VARIABLES];
  if (!known.includes(names[0] ?? '')) throw refused(place, `${String(original)} is none of its params: ${known.join(', ')}.`);
}
