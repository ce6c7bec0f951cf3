import type { Host } from '#shared/runtime/host.ts';
import type { Viewer } from '#shared/base/identity.ts';
import { newId } from '#shared/base/ids.ts';

// oxlint-disable-next-line typescript/no-explicit-any -- whoever asks knows what comes back
export type Answer = any;

/** Runs one mutation of a subgraph as a viewer, through the same resolvers, rules and actions as any client's. Refusals are errors here. */
export interface Door {
  run(subgraph: string, as: Viewer, mutation: string, input: object, selection: string): Promise<Answer>;
  ask(subgraph: string, as: Viewer | null, query: string, variables?: Record<string, unknown>): Promise<Answer>;
}

const PATIENCE_MS = 60_000;

export function createDoor({ runtimes }: Host): Door {
  const ask: Door['ask'] = async (subgraph, viewer, query, variables = {}) => {
    const identity = { issuer: 'demo', viewer };
    const { data, errors } = await runtimes
      .get(subgraph)!
      .execute({ query, variables, identity, correlationId: newId('demo'), deadline: Date.now() + PATIENCE_MS });
    if (errors) throw new Error(`${subgraph} refused the demo: ${JSON.stringify(errors)}`);
    return data;
  };
  return {
    ask,
    async run(subgraph, as, mutation, input, selection) {
      const type = `${mutation[0]!.toUpperCase()}${mutation.slice(1)}Input!`;
      const data = await ask(
        subgraph,
        as,
        `mutation ($input: ${type}) { ${mutation}(input: $input) { ${selection} userErrors { code message path } } }`,
        { input },
      );
      const payload = data[mutation];
      if (payload.userErrors.length > 0) throw new Error(`${mutation} refused the demo: ${JSON.stringify(payload.userErrors)}`);
      return payload;
    },
  };
}

/** At most `width` at a time, results in order. */
export async function inParallel<T, R>(entries: readonly T[], width: number, work: (entry: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let index = next++; index < entries.length; index = next++) results[index] = await work(entries[index]!);
  };
  await Promise.all(Array.from({ length: Math.min(width, entries.length) }, worker));
  return results;
}
