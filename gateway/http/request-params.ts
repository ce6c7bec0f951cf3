import type { GraphQLError } from 'graphql';
import { z } from 'zod';
import { requestsCost } from '../cost/with-cost.ts';
import type { Operation } from '../engine/types.ts';
import type { DocumentValidator } from '../supergraph/validated-documents.ts';
import type { Access } from '../plugins/use-api-keys.ts';

/** The parameters of a GraphQL request on any transport. */
export interface RequestParams {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
  extensions?: Record<string, unknown> | null | undefined;
}

export const record = z.record(z.string(), z.unknown());

/** The JSON body of a request. */
export const RequestBody = z.object({
  query: z.string().min(1),
  operationName: z.string().nullish(),
  variables: record.nullish(),
  extensions: record.nullish(),
});

export interface ValidatedRequest {
  operation: Operation;
  kind: 'query' | 'mutation' | 'subscription';
}

/** The document does not parse, or does not match the schema. */
export class InvalidDocument extends Error {
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super('The operation is not valid.');
    this.errors = errors;
  }
}

/** Identity, correlation id and deadline of a request. */
export type RequestInfo = Pick<Operation, 'identity' | 'correlationId' | 'deadline' | 'wantsCost'> & Pick<Access, 'readsSchema'>;

/** The operation to run, by the same rules on every transport. Throws InvalidDocument, or a Problem when it may not run. */
export function validateRequest(
  documents: DocumentValidator,
  { query: source, operationName: named, variables, extensions }: RequestParams,
  { readsSchema, ...info }: RequestInfo,
): ValidatedRequest {
  const operationName = named || undefined;
  const { document, errors } = documents.read(source);
  if (errors) throw new InvalidDocument(errors);
  const { operation: kind } = documents.validate({ document, operationName, variables, viewer: info.identity.viewer, readsSchema });
  return {
    kind,
    operation: {
      source,
      document,
      operationName,
      variables: variables ?? undefined,
      ...info,
      wantsCost: info.wantsCost || requestsCost(extensions),
    },
  };
}
