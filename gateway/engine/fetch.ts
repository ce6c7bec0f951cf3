import type { FetchNode } from '@apollo/query-planner';
import { GraphQLError, parse, type ExecutionResult } from 'graphql';
import type { SubgraphRequest } from '#shared/kit/transport.ts';
import { clientField } from './aliases.ts';
import { invalidAnswer, placed } from './response-errors.ts';
import { compileContext } from './context.ts';
import { compileGrouping } from './distinct-representations.ts';
import { levelOf, merge, type Level } from './merge.ts';
import { compileSelect, type Select } from './representations.ts';
import { clientNames, compileRewrites, renamedLevel, type Rewrite } from './rewrites.ts';
import { isData, markDangling, type Data, type Kit, type Path, type Run, type Step } from './run.ts';
import { placesOf } from './targets.ts';
import { clientVariable } from './variables.ts';

/** What every run of one fetch has in common. */
interface Fetch {
  subgraph: string;
  requestOf: (run: Run, more?: Data) => SubgraphRequest;
  /** How the answer joins what is there. */
  level: Level;
  rewriteOutput: Rewrite | undefined;
  isOfType: Kit['isOfType'];
  fail: (run: Run, errors: readonly GraphQLError[], owners: Owners) => void;
  /** The root fields that it asks for, as the client calls them. */
  fields: readonly string[];
}

/** The objects that wait for each part of the answer. */
type Owners = readonly (readonly Data[])[];

/** A fetch, at the path of its targets. */
export function compileFetch(node: FetchNode, at: Path, kit: Kit): Step {
  const fetch = readFetch(node, at, kit);
  return node.requires ? entityFetch(node, at, fetch, kit) : rootFetch(fetch, kit);
}

/** The part of a subscription that one subgraph streams. */
export interface Primary {
  subgraph: string;
  requestOf: (run: Run) => SubgraphRequest;
  /** Takes an event as if it had been fetched. */
  take: (run: Run, event: ExecutionResult) => void;
}

export function compilePrimary(node: FetchNode, kit: Kit): Primary {
  const fetch = readFetch(node, [], kit);
  return { subgraph: fetch.subgraph, requestOf: fetch.requestOf, take: (run, event) => takeRoot(fetch, run, event, [run.root]) };
}

function readFetch(node: FetchNode, at: Path, kit: Kit): Fetch {
  const level = levelOf(parse(node.operation, { noLocation: true }));
  const answered = (node.requires && level.find(({ key }) => key === '_entities')?.below) ?? level;
  const field = answered.find(({ key }) => key !== '__typename')?.key ?? '__typename';
  return {
    subgraph: node.serviceName,
    requestOf: requestsOf(node),
    level: renamedLevel(answered, node.outputRewrites),
    rewriteOutput: compileRewrites(node.outputRewrites, kit.isOfType),
    isOfType: kit.isOfType,
    fail: failures(node, at, field),
    fields: answered.map(({ key }) => clientField(key).key),
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

/** Asks root fields; every target gets the same answer. */
function rootFetch(fetch: Fetch, kit: Kit): Step {
  return async (run, targets) => takeRoot(fetch, run, await kit.ask(fetch.subgraph, fetch.requestOf(run), run.operation.scope), targets);
}

function takeRoot(
  { level, rewriteOutput, isOfType, fail, fields }: Fetch,
  run: Run,
  { data, errors }: ExecutionResult,
  targets: readonly Data[],
): void {
  if (errors) fail(run, errors, [targets]);
  if (!isData(data)) {
    // One field that must not be null has taken the others with it: the error says so.
    if (errors) run.lost.push(...fields);
    return;
  }
  rewriteOutput?.(data);
  for (const target of targets) merge(target, data, level, isOfType);
}

/** Asks entities, each once however many objects wait for it. */
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
  const askFor = async (run: Run, targets: readonly Data[], more?: Data): Promise<void> => {
    const { representations, owners } = group(targets);
    if (representations.length === 0) return;
    const result = await kit.ask(fetch.subgraph, fetch.requestOf(run, { ...more, representations }), run.operation.scope);
    takeEntities(fetch, run, result, owners);
  };
  if (!node.contextRewrites?.length) return askFor;
  const byContext = compileContext(node.contextRewrites, at, kit.isOfType);
  return async (run, targets) => {
    await Promise.all(byContext(run, targets).map(({ targets: alike, variables }) => askFor(run, alike, variables)));
  };
}

function takeEntities(fetch: Fetch, run: Run, { data, errors }: ExecutionResult, owners: Owners): void {
  if (errors) fetch.fail(run, errors, owners);
  const entities: unknown = data?.['_entities'];
  if (!Array.isArray(entities) || entities.length !== owners.length || !entities.every((each) => each === null || isData(each))) {
    if (!errors) fetch.fail(run, [invalidAnswer(fetch.subgraph, ['_entities'])], owners);
    return;
  }
  for (let index = 0; index < entities.length; index += 1) {
    const entity = entities[index] as Data | null;
    if (entity === null) {
      owners[index]!.forEach((owner) => markDangling(owner, fetch.subgraph));
      continue;
    }
    fetch.rewriteOutput?.(entity);
    for (const owner of owners[index]!) merge(owner, entity, fetch.level, fetch.isOfType);
  }
}

/** An error about many places is told for the first ones. */
const MAX_PLACES = 20;

/** Puts the errors of a subgraph where the client will look for them: at each place that misses something. */
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

/** Which objects miss what for an error at `_entities`; one that names no entity is about all of them. */
function inEntities({ path = [] }: GraphQLError, owners: Owners, field: string): { missing: readonly Data[]; rest: Path } {
  const [, index, ...rest] = path;
  const missing = typeof index === 'number' ? owners[index] : undefined;
  return missing ? { missing, rest: rest.length > 0 ? rest : [field] } : { missing: owners.flat(), rest: [field] };
}
