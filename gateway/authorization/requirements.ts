import { getNamedType, isInterfaceType, isIntrospectionType, isObjectType, type GraphQLNamedType, type GraphQLSchema } from 'graphql';
import type { Viewer } from '#shared/base/identity.ts';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';

/** Something a viewer must have. Equal ones are the same object, however many coordinates ask for them. */
export interface Requirement {
  readonly isMetBy: (viewer: Viewer | null) => boolean;
}

/** What it takes to see a field, all of it, by its coordinate (`Note.text`). Fields that are open to everyone are not in it. */
export type Requirements = ReadonlyMap<string, readonly Requirement[]>;

/**
 * Reads `@authenticated`, `@requiresScopes` and `@policy`: those of the field, of the type it belongs to and of the type it gives; for a field
 * of an interface also those of every type that may be behind it.
 */
export function readRequirements(appliedDirectives: AppliedDirectives, schema: GraphQLSchema): Requirements {
  const at = requirementsReader(appliedDirectives);
  const requirements = new Map<string, readonly Requirement[]>();
  for (const type of Object.values(schema.getTypeMap())) {
    if (isIntrospectionType(type) || !(isObjectType(type) || isInterfaceType(type))) continue;
    const behind = isInterfaceType(type) ? [type, ...schema.getPossibleTypes(type)] : [type];
    for (const field of Object.keys(type.getFields())) {
      const all = new Set(behind.flatMap((each) => ownAndAround(each, field, at)));
      if (all.size > 0) requirements.set(`${type.name}.${field}`, [...all]);
    }
  }
  return requirements;
}

type Reader = (coordinate: string) => Requirement[];

function ownAndAround(type: GraphQLNamedType, field: string, at: Reader): Requirement[] {
  const definition = 'getFields' in type ? type.getFields()[field] : undefined;
  return definition ? [...at(type.name), ...at(`${type.name}.${field}`), ...at(getNamedType(definition.type).name)] : [];
}

function requirementsReader(appliedDirectives: AppliedDirectives): Reader {
  const known = new Map<string, Requirement>();
  const once = (key: string, isMetBy: Requirement['isMetBy']): Requirement => {
    const requirement = known.get(key) ?? { isMetBy };
    known.set(key, requirement);
    return requirement;
  };
  const alternatives = (directive: string, argument: string, coordinate: string, holds: (viewer: Viewer, name: string) => boolean) =>
    appliedDirectives.of(directive, coordinate).map((given) => {
      const anyOf = given[argument] as string[][];
      const isMetBy = (viewer: Viewer | null) => viewer !== null && anyOf.some((allOf) => allOf.every((name) => holds(viewer, name)));
      return once(`${directive} ${JSON.stringify(anyOf)}`, isMetBy);
    });
  return (coordinate) => [
    ...appliedDirectives.of('authenticated', coordinate).map(() => once('authenticated', (viewer) => viewer !== null)),
    ...alternatives('requiresScopes', 'scopes', coordinate, ({ scopes }, scope) => scopes.includes(scope)),
    ...alternatives('policy', 'policies', coordinate, holdsPolicy),
  ];
}

const ROLE = 'role:';

/** The policy `role:admin` is held by those who have the role `admin`; one that nobody here knows is held by nobody. */
const holdsPolicy = ({ roles }: Viewer, policy: string): boolean => policy.startsWith(ROLE) && roles.includes(policy.slice(ROLE.length));
