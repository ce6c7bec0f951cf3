import { getNamedType, isInterfaceType, isObjectType, type ExecutionResult, type GraphQLNamedType, type GraphQLSchema } from 'graphql';
import type { IncrementalPart, SubsequentResult } from './types.ts';
import { placed } from './response-errors.ts';
import { clientField } from './aliases.ts';
import { completeResponse } from './complete.ts';
import { isActive, type Deferral } from './deferrals.ts';
import type { Prepared } from './prepare.ts';
import { isData, ownValue, type Data, type DeferredPart, type Path, type Run } from './run.ts';
import type { LoadedSupergraph } from './planning/supergraph.ts';

interface Deferring {
  supergraph: LoadedSupergraph;
  prepared: Prepared;
}

/** Data already sent, and its path. */
interface Sent {
  path: Path;
  data: unknown;
}

/** True when a part of the operation follows the first response. */
export const hasDeferred = ({ conditions }: Run, { deferrals }: Prepared): boolean => deferrals.some((each) => isActive(each, conditions));

/**
 * The deferred parts of an operation as they become ready; nested parts follow their parent. The operation says which parts there are; the
 * plan says what each still has to fetch, which may be nothing.
 */
export async function* deferredResults(
  run: Run,
  first: ExecutionResult,
  deferring: Deferring,
): AsyncGenerator<SubsequentResult, void, void> {
  const deferrals = deferring.prepared.deferrals.filter((each) => isActive(each, run.conditions));
  const parts = new Map<string, DeferredPart>();
  const waiting = new Map<Deferral, Promise<Finished>>();
  const start = (parent: Deferral | undefined, sent: readonly Sent[], further: readonly DeferredPart[]): void => {
    for (const part of further) parts.set(part.id, part);
    const next = deferrals.filter(({ within }) => within.find((each) => deferrals.includes(each)) === parent);
    for (const each of next) waiting.set(each, finish(run, { deferral: each, work: parts.get(each.id)?.work, sent }, deferring));
  };
  start(undefined, [{ path: [], data: first.data }], run.deferred);
  while (waiting.size > 0) {
    const { deferral, incremental, further } = await Promise.race(waiting.values());
    waiting.delete(deferral);
    start(deferral, incremental as Sent[], further);
    yield { ...(incremental.length > 0 && { incremental }), hasNext: waiting.size > 0 };
  }
}

interface Unfinished {
  deferral: Deferral;
  work: DeferredPart['work'];
  /** Data that was sent of its parent. */
  sent: readonly Sent[];
}

interface Finished {
  deferral: Deferral;
  incremental: IncrementalPart[];
  further: readonly DeferredPart[];
}

async function finish(run: Run, { deferral, work, sent }: Unfinished, { supergraph, prepared }: Deferring): Promise<Finished> {
  const own: Run = { ...run, errors: [], deferred: [] };
  await work?.(own, [run.root]);
  const label = deferral.label === undefined ? {} : { label: deferral.label };
  const places = placesIn(supergraph, run.root, prepared.rootType, deferral.path);
  const incremental = places
    .filter(({ path }) => sent.some((each) => holds(each, path)))
    .map(({ data, path, typename }): IncrementalPart => {
      const place: Run = { ...own, errors: own.errors.flatMap((error) => within(path, error)) };
      const shape = prepared.shapeOf(run, { deferral, typename });
      const response = completeResponse(place, data, { shape, ownerOf: supergraph.ownerOf, at: path, explained: run.errors });
      // The client already has the beginning of an unresolved reference. It cannot become null any more, so an error says that nothing
      // follows.
      return { ...response, path: [...path], ...label };
    });
  run.errors.push(...own.errors);
  return { deferral, incremental, further: own.deferred };
}

/** The error as seen by the part at this place. An error above the part is reported at the part itself. */
function within<E extends Run['errors'][number]>(place: Path, error: E): Run['errors'] {
  const path = error.path ?? [];
  if (startsWith(path, place)) return [error];
  return startsWith(place, path) ? [placed(error, place)] : [];
}

const startsWith = (path: Path, start: Path): boolean => start.every((each, index) => path[index] === each);

/** True when the client has an object at the path, into which a part can be merged. */
function holds({ path: start, data }: Sent, path: Path): boolean {
  if (!startsWith(path, start)) return false;
  let value = data;
  for (const key of path.slice(start.length)) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, key)) return false;
    value = (value as Record<string | number, unknown>)[key];
  }
  return isData(value);
}

interface Found {
  data: Data;
  path: Path;
  typename: string;
}

const FRAGMENT = '... on ';

/** Every object of the response at the path of a deferred fragment, with its type. */
function placesIn({ schema, isOfType }: LoadedSupergraph, root: Data, rootType: GraphQLNamedType, steps: readonly string[]): Found[] {
  const found: Found[] = [];
  const walk = (value: unknown, type: GraphQLNamedType, depth: number, path: Path): void => {
    if (Array.isArray(value)) return value.forEach((entry, index) => walk(entry, type, depth, [...path, index]));
    if (!isData(value)) return;
    const typename = typeof value['__typename'] === 'string' ? value['__typename'] : type.name;
    const step = steps[depth];
    if (step === undefined) found.push({ data: value, path, typename });
    else if (step.startsWith(FRAGMENT)) {
      const condition = step.slice(FRAGMENT.length);
      if (isOfType(typename, condition)) walk(value, isObjectType(type) ? type : (schema.getType(condition) ?? type), depth + 1, path);
    } else {
      const { key, name } = clientField(step);
      walk(ownValue(value, step), fieldType(schema, typename, name) ?? type, depth + 1, [...path, key]);
    }
  };
  walk(root, rootType, 0, []);
  return found;
}

function fieldType(schema: GraphQLSchema, typename: string, name: string): GraphQLNamedType | undefined {
  const type = schema.getType(typename);
  const field = isObjectType(type) || isInterfaceType(type) ? type.getFields()[name] : undefined;
  return field && getNamedType(field.type);
}
