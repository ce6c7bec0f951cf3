import { audiencesOf, contractOf } from '#shared/graph-contracts/graph-contract.ts';
import { Problem } from '#shared/base/errors.ts';
import type { EngineOptions } from '../engine/types.ts';
import { CONTRACT } from '../plugins/use-api-keys.ts';
import type { Graph } from './loaded-graph.ts';

export type Served = Pick<EngineOptions, 'supergraphSdl' | 'transports'>;

/** The graphs that are served: the whole one, and one for each contract, opened when it is first asked for. */
export interface Graphs {
  /** What they get who name no contract. It may become another one at any time. */
  readonly whole: Graph;
  /** Throws a Problem, or rejects with one, when there is no such contract. */
  of: (contract: string | undefined) => Graph | Promise<Graph>;
  /** Goes over to another supergraph; what it answers closes the old graphs. Rejects, and changes nothing, when it cannot be served. */
  replace: (served: Served) => Promise<() => Promise<void>>;
  close: () => Promise<void>;
}

interface Open {
  whole: (served: Served, previous?: Graph) => Promise<Graph>;
  contract: (served: Served) => Promise<Graph>;
}

export async function openGraphs(open: Open, first: Served): Promise<Graphs> {
  let state = { whole: await open.whole(first), contracts: createContracts(first, open) };
  return {
    get whole() {
      return state.whole;
    },
    of: (contract) => (contract === undefined ? state.whole : state.contracts.of(contract)),
    async replace(served) {
      const old = state;
      state = { whole: await open.whole(served, old.whole), contracts: createContracts(served, open) };
      return async () => {
        await old.contracts.close();
        await old.whole.engine.close();
      };
    },
    async close() {
      await state.contracts.close();
      await state.whole.engine.close();
    },
  };
}

function createContracts({ supergraphSdl, transports }: Served, open: Open) {
  const opened = new Map<string, Promise<Graph>>();
  let audiences: readonly string[] | undefined;
  return {
    of(audience: string): Promise<Graph> {
      audiences ??= audiencesOf(supergraphSdl);
      if (!audiences.includes(audience)) throw new Problem('BAD_REQUEST', `${CONTRACT} names no contract.`);
      const graph = opened.get(audience) ?? open.contract({ supergraphSdl: contractOf(supergraphSdl, audience), transports });
      opened.set(audience, graph);
      // What could not be opened is tried again by the next who asks.
      graph.catch(() => opened.delete(audience));
      return graph;
    },
    async close(): Promise<void> {
      // What could not be opened has been forgotten, and has nothing to close.
      await Promise.all([...opened.values()].map(async (graph) => (await graph).engine.close()));
    },
  };
}
