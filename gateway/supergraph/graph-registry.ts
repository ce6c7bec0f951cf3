import { audiencesOf, contractOf } from '#shared/graph-contracts/graph-contract.ts';
import { Problem } from '#shared/base/errors.ts';
import type { EngineOptions } from '../engine/types.ts';
import { CONTRACT } from '../plugins/use-api-keys.ts';
import type { LoadedGraph } from './loaded-graph.ts';

export type GraphSource = Pick<EngineOptions, 'supergraphSdl' | 'transports'>;

/** The graphs that are source: the whole one, and one for each contract, opened when it is first asked for. */
export interface GraphRegistry {
  /** What they get who name no contract. It may become another one at any time. */
  readonly whole: LoadedGraph;
  /** Throws a Problem, or rejects with one, when there is no such contract. */
  of: (contract: string | undefined) => LoadedGraph | Promise<LoadedGraph>;
  /** Goes over to another supergraph; what it answers closes the old graphs. Rejects, and changes nothing, when it cannot be source. */
  replace: (source: GraphSource) => Promise<() => Promise<void>>;
  close: () => Promise<void>;
}

interface Open {
  whole: (source: GraphSource, previous?: LoadedGraph) => Promise<LoadedGraph>;
  contract: (source: GraphSource) => Promise<LoadedGraph>;
}

export async function openGraphRegistry(open: Open, first: GraphSource): Promise<GraphRegistry> {
  let state = { whole: await open.whole(first), contracts: createContracts(first, open) };
  return {
    get whole() {
      return state.whole;
    },
    of: (contract) => (contract === undefined ? state.whole : state.contracts.of(contract)),
    async replace(source) {
      const old = state;
      state = { whole: await open.whole(source, old.whole), contracts: createContracts(source, open) };
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

function createContracts({ supergraphSdl, transports }: GraphSource, open: Open) {
  const opened = new Map<string, Promise<LoadedGraph>>();
  let audiences: readonly string[] | undefined;
  return {
    of(audience: string): Promise<LoadedGraph> {
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
