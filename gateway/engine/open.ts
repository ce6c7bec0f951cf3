import type { ExecutionResult } from 'graphql';
import { LRUCache } from 'lru-cache';
import { askSubgraph, openStream, withProblems } from '../ask-subgraph.ts';
import { isStart, type Engine, type EngineOptions, type IncrementalResult, type Operation } from '../engine.ts';
import { guarded, mapEvents } from '../events.ts';
import { completeAnswer } from './complete.ts';
import { deferredResults } from './defer.ts';
import { prepare, type Prepared } from './prepare.ts';
import type { Kit, Run } from './run.ts';
import { loadSupergraph, type LoadedSupergraph } from './supergraph.ts';

const KEPT_OPERATIONS = 2_000;

/** Soko's own engine: runs Apollo's query plans, each compiled once. */
export function openEngine({ supergraphSdl, transports, scalars, log }: EngineOptions): Engine {
  const supergraph = loadSupergraph({ supergraphSdl, scalars });
  const kit: Kit = {
    ask: (subgraph, request) => askSubgraph(subgraph, transports[subgraph], request, log),
    isOfType: supergraph.isOfType,
  };
  const preparedOf = createPreparations(supergraph, kit);

  return {
    schema: supergraph.schema,
    execute: (operation) =>
      guarded(async () => {
        const prepared = preparedOf(operation);
        const run = begin(prepared, operation);
        return isRun(run) ? execute(run, prepared, supergraph) : run;
      }),
    subscribe: (operation) =>
      guarded(async () => {
        const prepared = preparedOf(operation);
        const run = begin(prepared, operation);
        if (!isRun(run)) return run;
        const { primary } = prepared;
        if (!primary) return answer(run, prepared, supergraph);
        const patience = operation.deadline - Date.now();
        const request = { ...primary.requestOf(run), wantsStart: operation.wantsStart };
        const join = (event: ExecutionResult): Promise<ExecutionResult> =>
          guarded(async () => {
            if (isStart(event)) return event;
            const each = { ...run, ...fresh(), operation: { ...operation, deadline: Date.now() + patience } };
            primary.take(each, withProblems(event, request));
            return { ...(await answer(each, prepared, supergraph)), ...cursorOf(event) };
          });
        const events = await openStream(primary.subgraph, transports[primary.subgraph], request, log);
        return Symbol.asyncIterator in events ? mapEvents(events, join) : join(events);
      }),
    close: async () => undefined,
  };
}

function createPreparations(supergraph: LoadedSupergraph, kit: Kit): (operation: Operation) => Prepared {
  const known = new LRUCache<string, Prepared>({ max: KEPT_OPERATIONS });
  return ({ source, document, operationName }) => {
    const memo = `${operationName ?? ''}\n${source}`;
    let prepared = known.get(memo);
    if (!prepared) {
      const plan = supergraph.plan(document, operationName);
      known.set(memo, (prepared = prepare({ supergraph, kit, plan, document, operationName })));
    }
    return prepared;
  };
}

/** Where the stream stands after an event is all that a subgraph may tell beside it. */
const cursorOf = ({ extensions }: ExecutionResult): Pick<ExecutionResult, 'extensions'> =>
  extensions?.['cursor'] === undefined ? {} : { extensions: { cursor: extensions['cursor'] } };

const fresh = (): Pick<Run, 'root' | 'errors' | 'deferred'> => ({ root: {}, errors: [], deferred: [] });

function begin({ coerce }: Prepared, operation: Operation): Run | ExecutionResult {
  const values = coerce(operation.variables);
  return 'errors' in values ? values : { operation, ...values, ...fresh() };
}

const isRun = (run: Run | ExecutionResult): run is Run => 'operation' in run;

async function execute(run: Run, prepared: Prepared, supergraph: LoadedSupergraph): Promise<ExecutionResult | IncrementalResult> {
  const first = await answer(run, prepared, supergraph);
  if (run.deferred.length === 0 || !first.data) return first;
  return {
    initialResult: { ...first, hasNext: true },
    subsequentResults: deferredResults(run, { supergraph, prepared }),
  };
}

async function answer(run: Run, prepared: Prepared, { ownerOf }: LoadedSupergraph): Promise<ExecutionResult> {
  await prepared.step?.(run, [run.root]);
  if (prepared.introspect) Object.assign(run.root, prepared.introspect(run.variables));
  const part = run.initial === undefined ? undefined : { subselection: run.initial, typename: prepared.rootType.name };
  return completeAnswer(run, run.root, prepared.shapeOf(run, part), ownerOf);
}
