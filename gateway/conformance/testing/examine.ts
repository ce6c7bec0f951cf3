import { parse, print } from 'graphql';
import type { Engine } from '../../engine/types.ts';
import { openApolloEngine } from '../../apollo/apollo-engine.ts';
import { openEngine } from '../../supergraph/open-engine.ts';
import { foldConditions } from '../../engine/planning/fold-conditions.ts';
import { differences, type Difference } from '../differences.ts';
import { inequalities, misplacedErrors } from './compare.ts';
import { withHarmlessAliases } from './harmless-aliases.ts';
import type { RandomOperation } from './operations.ts';
import { resultsOf } from './run.ts';
import { shapeFaults, withoutTypes, withTypes } from './shape.ts';
import { composed, transportsOf, type TestSupergraph } from './supergraph.ts';

export interface Engines {
  supergraphSdl: string;
  ours: Engine;
  theirs: Engine;
}

/** Except after errors: an object may be of an unknown type, which matters only where its type is selected. */
const TYPES_MATTER = 'asking for types as well changes the result';
const log = { info: () => undefined, warn: () => undefined, error: () => undefined } as never;

/** Both engines over the same subgraphs. */
export function openBoth(fixture: TestSupergraph): Engines {
  const options = { supergraphSdl: composed(fixture), transports: transportsOf(fixture), log };
  return { supergraphSdl: options.supergraphSdl, ours: openEngine(options), theirs: withHarmlessAliases(openApolloEngine(options)) };
}

export interface Examination {
  /** What is wrong with our responses; empty when they are equal, or when the other engine is known to be wrong. */
  faults: string[];
  /** Why they differ. */
  difference: Difference | undefined;
}

/** Runs one operation on both engines. */
export async function examine({ supergraphSdl, ours, theirs }: Engines, operation: RandomOperation): Promise<Examination> {
  const typed = withTypes(operation);
  const results = await resultsOf(ours, operation);
  const typedResults = await resultsOf(ours, typed);
  const faults = [
    ...typedResults.flatMap((result) => shapeFaults(ours.schema, typed, result)),
    ...(typedResults.some(({ errors }) => errors) || sameText(typedResults.map(withoutTypes), results) ? [] : [TYPES_MATTER]),
    ...results.flatMap(misplacedErrors),
  ];
  const reference = await resultsOf(theirs, operation);
  const unequal = inequalities(results, reference);
  if (unequal.length === 0) return { faults, difference: undefined };
  const easier = explicit(operation);
  const isCured = inequalities(await resultsOf(ours, easier), await resultsOf(theirs, easier)).length === 0;
  const found = { supergraphSdl, source: operation.source, ours: results, theirs: reference, isCured };
  const difference = differences.find(({ explains }) => explains(found));
  return { faults: difference ? faults : [...faults, ...unequal], difference };
}

/** The same operation with all types selected, and without excluded selections. */
const explicit = ({ source, variables }: RandomOperation): RandomOperation =>
  withTypes({ source: print(foldConditions(parse(source, { noLocation: true }))), variables }, '__typename');

const sameText = (some: readonly { data?: unknown }[], others: readonly { data?: unknown }[]): boolean =>
  JSON.stringify(some.map(({ data }) => data ?? null)) === JSON.stringify(others.map(({ data }) => data ?? null));
