import { randomUUID } from 'node:crypto';
import { parse, type ExecutionResult } from 'graphql';
import { isIncremental, type Engine, type Operation } from '../../engine/types.ts';
import type { RandomOperation } from './operations.ts';

const PATIENCE_MS = 20_000;

/** All results of an operation: one, or those of a subscription until it ends. */
export async function answersOf(engine: Engine, { source, variables }: RandomOperation): Promise<ExecutionResult[]> {
  const operation = {
    source,
    document: parse(source),
    variables,
    identity: { issuer: 'gateway', viewer: null },
    correlationId: randomUUID(),
    deadline: Date.now() + PATIENCE_MS,
  };
  if (!source.startsWith('subscription')) return [await wholeAnswer(engine, operation)];
  const answer = await engine.subscribe(operation);
  if (!(Symbol.asyncIterator in answer)) return [answer];
  const events: ExecutionResult[] = [];
  for await (const event of answer) events.push(event);
  return events;
}

async function wholeAnswer(engine: Engine, operation: Operation): Promise<ExecutionResult> {
  const answer = await engine.execute(operation);
  if (isIncremental(answer)) throw new Error('answered in parts, which nobody asked for');
  return answer;
}
