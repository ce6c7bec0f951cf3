import type { GraphQLError } from 'graphql';
import { z } from 'zod';
import { requestsCost } from '../cost/with-cost.ts';
import type { Operation } from '../engine/types.ts';
import type { DocumentValidator } from '../supergraph/validated-documents.ts';
import type { Access } from '../plugins/use-api-keys.ts';

/** What a client asks for, however it came in. */
export interface Asked {
  query: string;
  operationName?: string | null | undefined;
  variables?: Record<string, unknown> | null | undefined;
  extensions?: Record<string, unknown> | null | undefined;
}

export const record = z.record(z.string(), z.unknown());

/** As the body of a request. */
export const AskedBody = z.object({
  query: z.string().min(1),
  operationName: z.string().nullish(),
  variables: record.nullish(),
  extensions: record.nullish(),
});

export interface Admitted {
  operation: Operation;
  /** Of which kind it is. */
  kind: 'query' | 'mutation' | 'subscription';
}

/** The text is no GraphQL, or does not fit the schema. */
export class NotValid extends Error {
  readonly errors: readonly GraphQLError[];

  constructor(errors: readonly GraphQLError[]) {
    super('The operation is not valid.');
    this.errors = errors;
  }
}

/** Who asks, and how long it may take. */
export type Envelope = Pick<Operation, 'identity' | 'correlationId' | 'deadline' | 'wantsCost'> & Pick<Access, 'readsSchema'>;

/** The operation that is meant, by the same rules on every way in. Throws NotValid, or a Problem, when it may not run. */
export function admitAsked(
  documents: DocumentValidator,
  { query: source, operationName: named, variables, extensions }: Asked,
  { readsSchema, ...envelope }: Envelope,
): Admitted {
  const operationName = named || undefined;
  const { document, errors } = documents.read(source);
  if (errors) throw new NotValid(errors);
  const { operation: kind } = documents.validate({ document, operationName, variables, viewer: envelope.identity.viewer, readsSchema });
  return {
    kind,
    operation: {
      source,
      document,
      operationName,
      variables: variables ?? undefined,
      ...envelope,
      wantsCost: envelope.wantsCost || requestsCost(extensions),
    },
  };
}
