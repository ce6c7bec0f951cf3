import { print, type FieldDefinitionNode } from 'graphql';
import type { Permissions } from '#shared/kit/permissions.ts';
import { typesOf, type Sdl } from './document.ts';

const ROOTS = ['Query', 'Mutation', 'Subscription'];
const GUARDS = new Set(['authenticated', 'requiresScopes', 'policy']);

/** Root fields that the gateway would let others ask for than the subgraph itself: their directives say something else than their rules. */
export function rootFieldsGuardedOtherwise({ document, permissions }: Sdl): string[] {
  return rootFields(document).flatMap(([type, field]) => {
    const wanted = guardOf(permissions, type, field.name.value);
    const found = (field.directives ?? []).filter(({ name }) => GUARDS.has(name.value)).map(print);
    return found.join(' ') === wanted ? [] : [`${type}.${field.name.value} has "${found.join(' ')}", its rule is "${wanted}"`];
  });
}

/** Root fields that stand in no contract: they carry no `@tag`. */
export const rootFieldsOfNobody = ({ document }: Sdl): string[] =>
  rootFields(document)
    .filter(([, { directives = [] }]) => !directives.some(({ name }) => name.value === 'tag'))
    .map(([type, field]) => `${type}.${field.name.value}`);

const rootFields = (document: Sdl['document']): [type: string, field: FieldDefinitionNode][] =>
  typesOf(document)
    .filter(({ name }) => ROOTS.includes(name))
    .flatMap(({ name, fields }) => fields.map((field): [string, FieldDefinitionNode] => [name, field]));

/** As SDL, what a rule that reads the viewer alone asks of him; nothing where the rule needs to know more. */
function guardOf(permissions: Permissions, type: string, field: string): string {
  const { name = '' } = (permissions[type] as Record<string, { name?: string }> | undefined)?.[field] ?? {};
  if (name === 'isSignedIn') return '@authenticated';
  const [rule, ...roles] = name.split(' ');
  return rule === 'hasRole' ? `@policy(policies: [${roles.map((role) => `["role:${role}"]`).join(', ')}])` : '';
}
