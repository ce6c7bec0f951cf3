import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { buildSubgraphSchema } from '@apollo/subgraph';
import { parse, type GraphQLSchema } from 'graphql';
import { auditApiPermissions, auditApiResolvers, auditApiTypeDefs } from './audit-api.ts';
import { auditPermissions } from '../kit/audit.ts';
import type { AnyContext } from '../kit/context.ts';
import { operationsApiResolvers, operationsApiPermissions, sagaTypeDefs } from './operations-api.ts';
import { jobPermissions, jobResolvers, jobTypeDefs } from './operations-jobs.ts';
import { guard, type Permissions } from '../kit/permissions.ts';
import { recordEntityMaxAge } from '../kit/entity-max-age.ts';
import { scalars } from '../kit/scalars.ts';
import type { Resolvers, Subgraph } from '../kit/define-subgraph.ts';

const PREAMBLE = readFileSync(join(import.meta.dirname, '../kit/common-types.graphql'), 'utf8');

/** The SDL of the operations API. */
export const operationsApiTypeDefs = `${sagaTypeDefs}\n${jobTypeDefs}\n${auditApiTypeDefs}`;

/** The SDL that the gateway composes: the kit's scalars, money, errors and filters, then the subgraph's own. */
export const completeTypeDefs = (subgraph: Pick<Subgraph, 'schema' | 'operationsApi'>): string =>
  [PREAMBLE, ...(subgraph.operationsApi ? [operationsApiTypeDefs] : []), subgraph.schema].filter(Boolean).join('\n');

/** The guarded, executable schema of a subgraph. */
export function buildSchema(subgraph: Subgraph): GraphQLSchema {
  const resolvers = mergeResolvers([
    { ...scalars, UserError: { __resolveType: (error: { __typename?: string }) => error.__typename ?? 'PlainUserError' } },
    ...(subgraph.operationsApi ? [operationsApiResolvers, jobResolvers, auditApiResolvers] : []),
    subgraph.resolvers,
  ]);
  const schema = buildSubgraphSchema([
    { typeDefs: parse(completeTypeDefs(subgraph)), resolvers: withReferences(resolvers, subgraph.publicMaxAge) },
  ]);
  const permissions = subgraph.operationsApi ? mergeResolvers([allOperationsPermissions, subgraph.permissions]) : subgraph.permissions;
  return auditPermissions(guard(schema, permissions as Permissions));
}

/** Who may use the operations API. */
export const allOperationsPermissions: Permissions = mergeResolvers([operationsApiPermissions, jobPermissions, auditApiPermissions]);

type ResolveReference = (reference: { id?: unknown }, ctx: AnyContext, ...rest: unknown[]) => unknown;

/**
 * A reference whose `id` is no text resolves to null. The max age of each resolved entity is recorded, so that the response can state for how
 * long it is equal for every viewer.
 */
function withReferences(resolvers: Resolvers, publicMaxAge: Subgraph['publicMaxAge']): Resolvers {
  const types = Object.entries(resolvers).map(([type, fields]) => {
    const resolve: ResolveReference | undefined = fields.__resolveReference;
    if (!resolve) return [type, fields];
    const found: ResolveReference = async (reference, ctx, ...rest) => {
      const object: unknown = typeof reference.id === 'string' ? await resolve(reference, ctx, ...rest) : null;
      if (object !== null && object !== undefined) recordEntityMaxAge(ctx, publicMaxAge[type]?.(object as never, ctx as never) ?? 0);
      return object;
    };
    return [type, { ...fields, __resolveReference: found }];
  });
  return Object.fromEntries(types);
}

/** Type by type, field by field; the later one wins. */
function mergeResolvers(parts: Resolvers[]): Resolvers {
  const merged: Resolvers = {};
  for (const part of parts) {
    for (const [type, fields] of Object.entries(part)) {
      const isPlain = typeof fields === 'object' && fields !== null && Object.getPrototypeOf(fields) === Object.prototype;
      merged[type] = isPlain ? { ...merged[type], ...fields } : fields;
    }
  }
  return merged;
}
