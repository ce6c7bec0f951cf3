import {
  buildClientSchema,
  getIntrospectionQuery,
  getNamedType,
  isLeafType,
  isObjectType,
  isRequiredArgument,
  type GraphQLField,
  type GraphQLObjectType,
  type GraphQLSchema,
  type IntrospectionQuery,
} from 'graphql';

/** Where a walk begins: a field of Query with its arguments written out. */
export interface Door {
  field: string;
  args: string;
}

export const INTROSPECTION = getIntrospectionQuery({ descriptions: false });
export const readSchema = (data: unknown): GraphQLSchema => buildClientSchema(data as IntrospectionQuery);

/** Types that are only a way to the next one. */
const isPassage = ({ name }: GraphQLObjectType): boolean => /(Connection|Edge|PageInfo)$/.test(name);

/** Names in one operation, at most: well below what the gateway takes. */
const MAX_NAMES = 160;

/**
 * Every way from these doors along fields that need no argument, asking all leaves on it, packed into few operations. A way passes each
 * type once, so it ends by itself; `depth` counts the types that are things, not passages to them.
 */
export function waysFrom(schema: GraphQLSchema, doors: readonly Door[], depth: number): string[] {
  const query = schema.getQueryType()!;
  return doors.flatMap(({ field, args }) => {
    const type = getNamedType(query.getFields()[field]!.type) as GraphQLObjectType;
    return walk(type, depth, new Set()).map((body) => `{ ${field}${args} { ${body} } }`);
  });
}

function walk(type: GraphQLObjectType, depth: number, passed: ReadonlySet<string>): string[] {
  if (passed.has(type.name)) return [];
  const fields = Object.values(type.getFields()).filter(isOpen);
  const leaves = fields.filter((each) => isLeafType(getNamedType(each.type))).map(({ name }) => name);
  const bodies = [`__typename ${leaves.join(' ')}`];
  const left = isPassage(type) ? depth : depth - 1;
  if (left === 0) return bodies;
  const now = new Set([...passed, type.name]);
  for (const field of fields) {
    const next = getNamedType(field.type);
    // Edges hold the same nodes once more.
    if (!isObjectType(next) || next.name.endsWith('Edge')) continue;
    const page = field.args.some(({ name }) => name === 'first') ? '(first: 2)' : '';
    for (const rest of walk(next, left, now)) bodies.push(`${field.name}${page} { ${rest} }`);
  }
  return packed(bodies);
}

/** Fields that stand side by side go into one operation as long as it stays small. */
function packed(bodies: readonly string[]): string[] {
  const packs: string[] = [];
  for (const body of bodies) {
    const joined = `${packs.at(-1) ?? ''} ${body}`;
    if (packs.length > 0 && (joined.match(/\w+/g) ?? []).length <= MAX_NAMES) packs[packs.length - 1] = joined;
    else packs.push(body);
  }
  return packs;
}

const isOpen = ({ args }: GraphQLField<unknown, unknown>): boolean => !args.some(isRequiredArgument);
