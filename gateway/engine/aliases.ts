import { Kind, visit, type ASTNode, type NameNode } from 'graphql';

/*
 * A plan selects fields of its own beside those of the client: keys, what @requires names, __typename. So that `{ id: name }` does not stand
 * where the plan expects the id, what the client has renamed is called otherwise until the answer takes shape.
 */

const RENAMED = /^_as(\d+)_/;

/** What a plan calls a field; its name can be read out of it. */
export const planKey = (key: string, name: string): string => (key === name ? key : `_as${name.length}_${name}_${key}`);

/** What the client calls it, and its name. */
export function clientField(inPlan: string): { key: string; name: string } {
  const match = RENAMED.exec(inPlan);
  if (!match) return { key: inPlan, name: inPlan };
  const start = match[0].length;
  const end = start + Number(match[1]);
  return { key: inPlan.slice(end + 1), name: inPlan.slice(start, end) };
}

/** The operation with the names that plans use. Introspection is no part of plans. */
export const toPlanKeys = <T extends ASTNode>(node: T): T =>
  renamed(node, (alias, name) => (name === '__schema' || name === '__type' ? alias : planKey(alias, name)));

/** What a plan says of an operation, in the client's names. */
export const toClientKeys = <T extends ASTNode>(node: T): T => renamed(node, (alias) => clientField(alias).key);

const renamed = <T extends ASTNode>(node: T, rename: (alias: string, name: string) => string): T =>
  visit(node, {
    Field({ alias, name, ...field }) {
      if (!alias) return undefined;
      const renamedTo: NameNode = { kind: Kind.NAME, value: rename(alias.value, name.value) };
      return { ...field, name, alias: renamedTo };
    },
  }) as T;
