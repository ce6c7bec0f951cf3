import { getNamedType, isInterfaceType, isObjectType, type GraphQLNamedType, type GraphQLSchema } from 'graphql';
import type { IncrementalPart, SubsequentResult } from '../engine.ts';
import { clientField } from './aliases.ts';
import { completeAnswer } from './complete.ts';
import type { Prepared } from './prepare.ts';
import { isData, ownValue, type Data, type DeferredPart, type Path, type Run } from './run.ts';
import type { LoadedSupergraph } from './supergraph.ts';

interface Deferring {
  supergraph: LoadedSupergraph;
  prepared: Prepared;
}

/** The deferred parts of an operation as they become ready; those within others follow them. */
export async function* deferredResults(run: Run, deferring: Deferring): AsyncGenerator<SubsequentResult, void, void> {
  const waiting = new Map<DeferredPart, Promise<Finished>>();
  const start = (parts: readonly DeferredPart[]): void => parts.forEach((part) => waiting.set(part, finish(run, part, deferring)));
  start(run.deferred);
  while (waiting.size > 0) {
    const { part, incremental, further } = await Promise.race(waiting.values());
    waiting.delete(part);
    start(further);
    yield { ...(incremental.length > 0 && { incremental }), hasNext: waiting.size > 0 };
  }
}

interface Finished {
  part: DeferredPart;
  incremental: IncrementalPart[];
  further: readonly DeferredPart[];
}

async function finish(run: Run, part: DeferredPart, { supergraph, prepared }: Deferring): Promise<Finished> {
  const own: Run = { ...run, errors: [], deferred: [], initial: undefined };
  await part.work?.(own, [run.root]);
  const subselection = part.subselection ?? own.initial;
  const incremental =
    subselection === undefined
      ? []
      : placesIn(supergraph, run.root, prepared.rootType, part.path).map(({ data, path, typename }) => {
          const place: Run = { ...own, errors: own.errors.filter((error) => startsWith(error.path ?? [], path)) };
          const answer = completeAnswer(place, data, {
            shape: prepared.shapeOf(run, { subselection, typename }),
            ownerOf: supergraph.ownerOf,
            at: path,
          });
          return { ...answer, path: [...path], ...(part.label !== undefined && { label: part.label }) };
        });
  return { part, incremental, further: own.deferred };
}

const startsWith = (path: Path, start: Path): boolean => start.every((each, index) => path[index] === each);

interface Found {
  data: Data;
  path: Path;
  typename: string;
}

const FRAGMENT = '... on ';

/** Every object of the answer at the path of a deferred fragment, with the type that the fragment is about. */
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
      if (isOfType(typename, condition) || typename === type.name) walk(value, schema.getType(condition) ?? type, depth + 1, path);
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
