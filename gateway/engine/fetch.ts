import type { FetchNode } from '@apollo/query-planner';
import { GraphQLError, parse, type ExecutionResult } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { clientField } from './aliases.ts';
import { invalidResponse, placed } from './response-errors.ts';
import { compileContext } from './context.ts';
import { compileGrouping } from './distinct-representations.ts';
import { levelOf, merge, type Level } from './merge.ts';
import { compileSelect, type Select } from './representations.ts';
import { clientNames, compileRewrites, renamedLevel, type Rewrite } from './rewrites.ts';
import { isData, markUnresolved, type Data, type Kit, type Path, type Run, type Step } from './run.ts';
import { placesOf } from './targets.ts';
import { clientVariable } from './variables.ts';

/** Everything that the runs of one fetch share. */
interface Fetch {
  subgraph: string;
  requestOf: (run: Run, more?: Data) => SubgraphRequest;
  /** The fields to merge. */
  level: Level;
  rewriteOutput: Rewrite | undefined;
  isOfType: Kit['isOfType'];
  fail: (run: Run, errors: readonly GraphQLError[], owners: Owners) => void;
  /** Response keys of its root fields, as the client wrote them. */
  fields: readonly string[];
}

/** The objects that wait for each entity of the response. */
type Owners = readonly (readonly Data[])[];

/** Compiles a fetch at the path of its targets. */
export function compileFetch(node: FetchNode, at: Path, kit: Kit): Step {
  const fetch = readFetch(node, at, kit);
  return node.requires ? entityFetch(node, at, fetch, kit) : rootFetch(fetch, kit);
}

/** The fetch of a subscription that opens the stream. */
export interface Primary {
  subgraph: string;
  requestOf: (run: Run) => SubgraphRequest;
  /** Merges an event like a fetched response. */
  take: (run: Run, event: ExecutionResult) => void;
}

export function compilePrimary(node: FetchNode, kit: Kit): Primary {
  const fetch = readFetch(node, [], kit);
  return { subgraph: fetch.subgraph, requestOf: fetch.requestOf, take: (run, event) => takeRoot(fetch, run, event, [run.root]) };
}

function readFetch(node: FetchNode, at: Path, kit: Kit): Fetch {
  const level = levelOf(parse(node.operation, { noLocation: true }));
  const selected = (node.requires && level.find(({ key }) => key === '_entities')?.below) ?? level;
  const field = selected.find(({ key }) => key !== '__typename')?.key ?? '__typename';
  return {
    subgraph: node.serviceName,
    requestOf: requestsOf(node),
    level: renamedLevel(selected, node.outputRewrites),
    rewriteOutput: compileRewrites(node.outputRewrites, kit.isOfType),
    isOfType: kit.isOfType,
    fail: failures(node, at, field),
    fields: selected.map(({ key }) => clientField(key).key),
  };
}

function requestsOf({ operation: query, operationName, variableUsages = [] }: FetchNode): Fetch['requestOf'] {
  const usages = variableUsages.map((name) => ({ name, given: clientVariable(name) }));
  return ({ operation, variables }, more) => {
    const used: Data = {};
    for (const { name, given } of usages) if (variables[given] !== undefined) used[name] = variables[given];
    const { identity, correlationId, deadline, signal, departure } = operation;
    const envelope = { identity, correlationId, deadline, signal, departure };
    return { query, operationName, variables: more ? Object.assign(used, more) : used, ...envelope };
  };
}

/** Fetches root fields; every target gets the same response. */
function rootFetch(fetch: Fetch, kit: Kit): Step {
  return async (run, targets) =>
    takeRoot(fetch, run, await kit.executeFetch(fetch.subgraph, fetch.requestOf(run), run.operation.scope), targets);
}

function takeRoot(
  { level, rewriteOutput, isOfType, fail, fields }: Fetch,
  run: Run,
  { data, errors }: ExecutionResult,
  targets: readonly Data[],
): void {
  if (errors) fail(run, errors, [targets]);
  if (!isData(data)) {
    // One non-null field has nulled the others: the error says so.
    if (errors) run.lost.push(...fields);
    return;
  }
  rewriteOutput?.(data);
  for (const target of targets) merge(target, data, level, isOfType);
}

/** Fetches entities, each once however many objects wait for it. */
function entityFetch(node: FetchNode, at: Path, fetch: Fetch, kit: Kit): Step {
  const select = compileSelect(node.requires!, kit.isOfType);
  const rewriteInput = compileRewrites(node.inputRewrites, kit.isOfType);
  const represent: Select = (target) => {
    const representation = select(target);
    if (representation?.['__typename'] === undefined) return undefined;
    rewriteInput?.(representation);
    return representation;
  };
  const group = compileGrouping(node.requires!, represent);
  const fetchEntities = async (run: Run, targets: readonly Data[], more?: Data): Promise<void> => {
    const { representations, owners } = group(targets);
    if (representations.length === 0) return;
    const result = await kit.executeFetch(fetch.subgraph, fetch.requestOf(run, { ...more, representations }), run.operation.scope);
    takeEntities(fetch, run, result, owners);
  };
  if (!node.contextRewrites?.length) return fetchEntities;
  const byContext = compileContext(node.contextRewrites, at, kit.isOfType);
  return async (run, targets) => {
    await Promise.all(byContext(run, targets).map(({ targets: alike, variables }) => fetchEntities(run, alike, variables)));
  };
}

function takeEntities(fetch: Fetch, run: Run, { data, errors }: ExecutionResult, owners: Owners): void {
  if (errors) fetch.fail(run, errors, owners);
  const entities: unknown = data?.['_entities'];
  if (!Array.isArray(entities) || entities.length !== owners.length || !entities.every((each) => each === null || isData(each))) {
    if (!errors) fetch.fail(run, [invalidResponse(fetch.subgraph, ['_entities'])], owners);
    return;
  }
  for (let index = 0; index < entities.length; index += 1) {
    const entity = entities[index] as Data | null;
    if (entity === null) {
      owners[index]!.forEach((owner) => markUnresolved(owner, fetch.subgraph));
      continue;
    }
    fetch.rewriteOutput?.(entity);
    for (const owner of owners[index]!) merge(owner, entity, fetch.level, fetch.isOfType);
  }
}

/** An error about many places is reported for the first ones. */
const MAX_PLACES = 20;

/** Puts errors of a subgraph at each place of the response that misses a value. */
function failures({ requires, outputRewrites }: FetchNode, at: Path, field: string): Fetch['fail'] {
  const names = clientNames(outputRewrites);
  return (run, errors, owners) => {
    const places = placesOf(run.root, at);
    for (const error of errors) {
      const { missing, rest } = requires ? inEntities(error, owners, field) : { missing: owners.flat(), rest: error.path ?? [] };
      const known = rest.map((each) => (typeof each === 'string' ? (names.get(each) ?? each) : each));
      const starts = missing.flatMap((owner) => places.get(owner)?.map(({ path }) => path) ?? []);
      for (const start of starts.slice(0, MAX_PLACES)) run.errors.push(placed(error, [...start, ...known].map(toClient)));
    }
  };
}

const toClient = (step: string | number): string | number => (typeof step === 'string' ? clientField(step).key : step);

/** The objects that an error at `_entities` concerns; all of them when it names no entity. */
function inEntities({ path = [] }: GraphQLError, owners: Owners, field: string): { missing: readonly Data[]; rest: Path } {
  const [, index, ...rest] = path;
  const missing = typeof index === 'number' ? owners[index] : undefined;
  return missing ? { missing, rest: rest.length > 0 ? rest : [field] } : { missing: owners.flat(), rest: [field] };
}
