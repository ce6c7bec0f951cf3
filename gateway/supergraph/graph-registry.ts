import { audiencesOf, contractOf } from '#shared/graph-contracts/graph-contract.ts';
import { Problem } from '#shared/base/errors.ts';
import type { EngineOptions } from '../engine/types.ts';
import { CONTRACT_HEADER } from '../plugins/use-api-keys.ts';
import type { LoadedGraph } from './loaded-graph.ts';

export type GraphSource = Pick<EngineOptions, 'supergraphSdl' | 'transports'>;

/** The graphs in service: the whole one, and one per graph contract, opened on first use. */
export interface GraphRegistry {
  /** For callers without a contract. A reload replaces it. */
  readonly whole: LoadedGraph;
  /** Throws a Problem, or rejects with one, when the contract is unknown. */
  of: (contract: string | undefined) => LoadedGraph | Promise<LoadedGraph>;
  /**
   * Switches to another supergraph; the returned function closes the old graphs. Rejects without any change when the new one cannot be
   * served.
   */
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
      if (!audiences.includes(audience)) throw new Problem('BAD_REQUEST', `${CONTRACT_HEADER} names no contract.`);
      const graph = opened.get(audience) ?? open.contract({ supergraphSdl: contractOf(supergraphSdl, audience), transports });
      opened.set(audience, graph);
      // A failed opening is retried by the next request.
      graph.catch(() => opened.delete(audience));
      return graph;
    },
    async close(): Promise<void> {
      // A failed opening is already removed, and has nothing to close.
      await Promise.all([...opened.values()].map(async (graph) => (await graph).engine.close()));
    },
  };
}
