import { getNamedType, isInterfaceType, isIntrospectionType, isObjectType, type GraphQLNamedType, type GraphQLSchema } from 'graphql';
import type { Viewer } from '#shared/base/identity.ts';
import type { AppliedDirectives } from '../graphql/applied-directives.ts';

/** A right that a viewer must have. Equal requirements are the same object, however many coordinates need them. */
export interface Requirement {
  readonly isMetBy: (viewer: Viewer | null) => boolean;
}

/** All requirements of a field, by coordinate (`Note.text`). A field that is open to everyone has no entry. */
export type Requirements = ReadonlyMap<string, readonly Requirement[]>;

/**
 * Reads `@authenticated`, `@requiresScopes` and `@policy` of the field, of its parent type and of its result type. A field of an interface
 * also has the requirements of every type that implements it.
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

/** A viewer with the role `admin` holds the policy `role:admin`. Nobody holds an unknown policy. */
const holdsPolicy = ({ roles }: Viewer, policy: string): boolean => policy.startsWith(ROLE) && roles.includes(policy.slice(ROLE.length));
