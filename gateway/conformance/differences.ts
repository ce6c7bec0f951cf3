import type { ExecutionResult } from 'graphql';

/** An operation with different responses from the two engines. Ours is known to have the shape of the operation. */
export interface Found {
  supergraphSdl: string;
  source: string;
  ours: readonly ExecutionResult[];
  theirs: readonly ExecutionResult[];
  /** True when both agree once the operation selects the type of every object, and omits excluded selections. */
  isCured: boolean;
}

/** A kind of operation that @apollo/gateway gets wrong; `differences.test.ts` has an example of each, and more that are not random. */
export interface Difference {
  name: string;
  /** Why our response is the right one. */
  why: string;
  explains: (found: Found) => boolean;
}

export const differences: readonly Difference[] = [
  {
    name: 'fragments without a type',
    why: `In \`{ me { ... on Named { ... on Person { name } } } }\` the inner fragment applies whenever \`me\` is a Person. @apollo/gateway forgets
      what an object is as soon as it enters a fragment on an abstract type, unless the operation happens to ask for \`__typename\`, and leaves
      the fields out.`,
    explains: ({ ours, theirs }) =>
      theirs.length === ours.length && theirs.every(({ data }, index) => lacksFields(data, ours[index]?.data)),
  },
  {
    name: 'objects without fields',
    why: `Of \`{ notes @include(if: $all) { text @include(if: $texts) } }\` with the second condition false, the notes are objects without fields.
      The plan leaves them out altogether, so that @apollo/gateway answers null, without an error even where null may not be.`,
    explains: ({ source, isCured }) => isCured && /@(skip|include)\(if: \$/.test(source),
  },
  {
    name: 'fields that are left out for good',
    why: `Of \`{ note { length summary @include(if: false) } }\` nobody wants the summary. It is planned all the same; when it requires fields of
      other subgraphs, @apollo/gateway finds null for what was asked for.`,
    explains: ({ source, isCured }) => isCured && /@skip\(if: true|@include\(if: false/.test(source),
  },
  {
    name: 'types of interface objects',
    why: `A subgraph that knows \`Place\` by \`@interfaceObject\` answers "Place" when it is asked for the type, also of what another subgraph has
      said to be a Park. @apollo/gateway takes the last word: fragments on Park are lost, and \`__typename\` makes the object null.`,
    explains: ({ supergraphSdl, ours, theirs }) =>
      supergraphSdl.includes('isInterfaceObject: true') &&
      theirs.length === ours.length &&
      theirs.every(({ data }, index) => lacksFields(data, ours[index]?.data, { alsoNull: true })),
  },
];

/** True when their response is ours without some fields; with `alsoNull`, or with nulls in place of some. */
function lacksFields(theirs: unknown, ours: unknown, { alsoNull = false } = {}): boolean {
  if (theirs === null && alsoNull) return true;
  if (Array.isArray(theirs)) {
    return (
      Array.isArray(ours) && theirs.length === ours.length && theirs.every((each, index) => lacksFields(each, ours[index], { alsoNull }))
    );
  }
  if (!isObject(theirs)) return theirs === ours;
  return isObject(ours) && Object.entries(theirs).every(([name, value]) => lacksFields(value, ours[name], { alsoNull }));
}

const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null;
