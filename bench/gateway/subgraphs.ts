import { fork } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { composeSupergraph } from '../../schema/compose.ts';
import { subgraphNames, typeDefs, type SubgraphName } from './graph/sdl.ts';

export interface Subgraphs extends AsyncDisposable {
  /** `alone`: subgraphs that accept no batches. */
  supergraphSdl(alone?: 'alone'): string;
  /** Requests since the start. */
  calls(): Promise<number>;
}

/** The subgraphs in a process of their own, which ends with this one. */
export async function startSubgraphs(): Promise<Subgraphs> {
  const child = fork(join(import.meta.dirname, 'servers/subgraphs.ts'), [], { stdio: ['ignore', 'ignore', 'inherit', 'ipc'] });
  const [{ ports }] = (await once(child, 'message')) as [{ ports: Record<SubgraphName, number> }];
  return {
    supergraphSdl: (alone) =>
      composeSupergraph(
        subgraphNames.map((name) => ({ name, url: `http://127.0.0.1:${ports[name]}/${alone ?? ''}`, typeDefs: typeDefs[name] })),
      ),
    async calls() {
      child.send('calls');
      const [{ calls }] = (await once(child, 'message')) as [{ calls: number }];
      return calls;
    },
    async [Symbol.asyncDispose]() {
      const ended = once(child, 'exit');
      child.disconnect();
      await ended;
    },
  };
}
