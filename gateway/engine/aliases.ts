import { Kind, print, visit, type ArgumentNode, type ASTNode, type NameNode, type ValueNode } from 'graphql';
import { isIntrospection } from './introspection.ts';

/*
 * A plan selects fields beside those of the client: keys, fields of @requires, __typename. An alias such as `{ id: name }` would take the
 * place where the plan expects the id, so aliased fields have other names in plans until the response is shaped. Fields with several
 * argument lists too: in `{ ... on Book { maker { logo(size: 1) } } ... on Film { maker { logo(size: 2) } } }` both makers may be the same
 * entity, and a plan would fetch only one logo.
 */

const RENAMED = /^_as(\d+)(?:x\d+)?_/;

/** The name of a field in plans. The field's own name can be read from it. */
const planKey = (key: string, name: string, variant: number): string =>
  key === name && variant === 0 ? key : `_as${name.length}${variant === 0 ? '' : `x${variant}`}_${name}_${key}`;

/** The client's response key, and the name of the field. */
export function clientField(inPlan: string): { key: string; name: string } {
  const match = RENAMED.exec(inPlan);
  if (!match) return { key: inPlan, name: inPlan };
  const start = match[0].length;
  const end = start + Number(match[1]);
  return { key: inPlan.slice(end + 1), name: inPlan.slice(start, end) };
}

/** The document with the names used in plans; equal documents give equal results. Introspection is not planned. */
export function toPlanKeys<T extends ASTNode>(node: T): T {
  const variantOf = createVariants();
  return visit(node, {
    Field({ alias, name, ...field }) {
      if (isIntrospection(name)) return false;
      const key = alias?.value ?? name.value;
      const inPlan = planKey(key, name.value, variantOf(`${key} ${name.value}`, field.arguments));
      if (inPlan === name.value) return undefined;
      const renamedTo: NameNode = { kind: Kind.NAME, value: inPlan };
      return { ...field, name, alias: renamedTo };
    },
  }) as T;
}

/** Numbers the argument lists of each field in order of appearance. */
function createVariants() {
  const known = new Map<string, Map<string, number>>();
  return (field: string, given: readonly ArgumentNode[] = []): number => {
    const list = textOf(given);
    const lists = known.get(field) ?? new Map<string, number>();
    const variant = lists.get(list) ?? lists.size;
    known.set(field, lists.set(list, variant));
    return variant;
  };
}

/** Equal for arguments that GraphQL treats as the same, in any order of arguments and input fields. */
const textOf = (named: readonly { name: NameNode; value: ValueNode }[]): string =>
  named
    .map(({ name, value }) => `${name.value}:${valueText(value)}`)
    .toSorted()
    .join();

function valueText(value: ValueNode): string {
  if (value.kind === Kind.OBJECT) return `{${textOf(value.fields)}}`;
  return value.kind === Kind.LIST ? `[${value.values.map(valueText).join()}]` : print(value);
}
