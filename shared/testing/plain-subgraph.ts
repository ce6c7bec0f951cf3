import { buildSubgraphSchema } from '@apollo/subgraph';
import { GraphQLError, parse, type DocumentNode, type ExecutionResult } from 'graphql';
import { maskError, problemOf, Problem } from '../base/errors.ts';
import { createCompiledExecution } from '../runtime/compiled-execution.ts';
import { runSubscription } from '../runtime/run-subscription.ts';
import type { OpenSubgraph } from '../runtime/runtime.ts';
import type { Resolvers } from '../kit/define-subgraph.ts';
import type { CommandRequest, SubgraphRequest } from '../kit/transport.ts';

interface PlainOptions {
  name: string;
  typeDefs: string;
  resolvers: Resolvers;
  commands?: Record<string, (request: CommandRequest) => unknown>;
  health?: () => ReturnType<OpenSubgraph['health']>;
}

export interface PlainSubgraph extends OpenSubgraph {
  /** Every request that came in, in order. */
  asked: SubgraphRequest[];
}

/** A subgraph of SDL and resolvers alone, for tests of what carries and joins subgraphs. The resolvers' context is the request. */
export function plainSubgraph({ name, typeDefs, resolvers, commands = {}, health }: PlainOptions): PlainSubgraph {
  const schema = buildSubgraphSchema([{ typeDefs: parse(typeDefs), resolvers }]);
  const run = createCompiledExecution(schema);
  const documents = new Map<string, DocumentNode>();
  const asked: SubgraphRequest[] = [];
  const argsOf = (request: SubgraphRequest) => {
    asked.push(request);
    let document = documents.get(request.query);
    if (!document) documents.set(request.query, (document = parse(request.query, { noLocation: true })));
    return { document, variableValues: request.variables, operationName: request.operationName, contextValue: request };
  };
  const mask = (result: ExecutionResult, { correlationId }: SubgraphRequest): ExecutionResult => {
    if (!result.errors) return result;
    const silent = { error: () => undefined };
    const errors = result.errors.map((error) => maskError(error, { correlationId, log: silent }));
    return { ...result, errors: errors.map(({ message, path, extensions }) => new GraphQLError(message, { path, extensions })) };
  };
  return {
    name,
    typeDefs,
    asked,
    execute: async (request) => mask(await run(argsOf(request)), request),
    subscribe: (request) =>
      runSubscription({
        args: { schema, ...argsOf(request) },
        execute: run,
        wantsStart: request.wantsStart ?? false,
        maskResult: (result) => mask(result, request),
        failure: (error) => mask({ errors: [asGraphQLError(error)] }, request).errors![0]!,
      }),
    async call(request) {
      const command = commands[request.command];
      if (!command) throw new Problem('UNKNOWN_COMMAND', 'There is no such command.');
      try {
        return await command(request);
      } catch (error) {
        throw problemOf(error) ?? error;
      }
    },
    health: health ?? (async () => ({ mongodb: 'up', redis: 'up' })),
    close: async () => undefined,
  };
}

const asGraphQLError = (error: unknown): GraphQLError =>
  error instanceof GraphQLError ? error : new GraphQLError('The stream has failed.', { originalError: error as Error });
