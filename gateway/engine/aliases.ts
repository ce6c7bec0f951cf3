import { Kind, print, visit, type ArgumentNode, type ASTNode, type NameNode, type ValueNode } from 'graphql';
import { isIntrospection } from './introspection.ts';

/*
 * A plan selects fields of its own beside those of the client: keys, what @requires names, __typename. So that `{ id: name }` does not stand
 * where the plan expects the id, what the client has renamed is called otherwise until the answer takes shape. So is what has one name with
 * several arguments: of `{ ... on Book { maker { logo(size: 1) } } ... on Film { maker { logo(size: 2) } } }` the makers may be the same
 * entity, of which a plan would fetch only one of the logos.
 */

const RENAMED = /^_as(\d+)(?:x\d+)?_/;

/** What a plan calls a field; its name can be read out of it. */
const planKey = (key: string, name: string, variant: number): string =>
  key === name && variant === 0 ? key : `_as${name.length}${variant === 0 ? '' : `x${variant}`}_${name}_${key}`;

/** What the client calls it, and its name. */
export function clientField(inPlan: string): { key: string; name: string } {
  const match = RENAMED.exec(inPlan);
  if (!match) return { key: inPlan, name: inPlan };
  const start = match[0].length;
  const end = start + Number(match[1]);
  return { key: inPlan.slice(end + 1), name: inPlan.slice(start, end) };
}

/** The document with the names that plans use, the same for equal documents. Introspection is no part of plans. */
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

/** Numbers the argument lists of each field as they come. */
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

/** Equal for what GraphQL takes to be the same: in whatever order arguments and fields are written. */
const textOf = (named: readonly { name: NameNode; value: ValueNode }[]): string =>
  named
    .map(({ name, value }) => `${name.value}:${valueText(value)}`)
    .toSorted()
    .join();

function valueText(value: ValueNode): string {
  if (value.kind === Kind.OBJECT) return `{${textOf(value.fields)}}`;
  return value.kind === Kind.LIST ? `[${value.values.map(valueText).join()}]` : print(value);
}
