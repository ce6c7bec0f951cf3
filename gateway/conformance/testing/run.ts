import { randomUUID } from 'node:crypto';
import { parse, type ExecutionResult } from 'graphql';
import { isIncremental, type Engine, type Operation } from '../../engine/types.ts';
import type { RandomOperation } from './operations.ts';

const PATIENCE_MS = 20_000;

/** All results of an operation: one, or those of a subscription until it ends. */
export async function resultsOf(engine: Engine, { source, variables }: RandomOperation): Promise<ExecutionResult[]> {
  const operation = {
    source,
    document: parse(source),
    variables,
    identity: { issuer: 'gateway', viewer: null },
    correlationId: randomUUID(),
    deadline: Date.now() + PATIENCE_MS,
  };
  if (!source.startsWith('subscription')) return [await wholeAnswer(engine, operation)];
  const result = await engine.subscribe(operation);
  if (!(Symbol.asyncIterator in result)) return [result];
  const events: ExecutionResult[] = [];
  for await (const event of result) events.push(event);
  return events;
}

async function wholeAnswer(engine: Engine, operation: Operation): Promise<ExecutionResult> {
  const result = await engine.execute(operation);
  if (isIncremental(result)) throw new Error('the result came in parts, without @defer');
  return result;
}
