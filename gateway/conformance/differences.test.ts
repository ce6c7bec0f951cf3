/** Wrong responses of @apollo/gateway, and the right ones. */
import { describe, expect, test } from '@jest/globals';
import type { ExecutionResult } from 'graphql';
import { openBoth } from './testing/examine.ts';
import { resultsOf } from './testing/run.ts';
import type { TestSupergraph } from './testing/supergraph.ts';
import { contexts } from './testing/supergraphs/contexts.ts';
import { deadEnds } from './testing/supergraphs/dead-ends.ts';
import { interfaceObjects } from './testing/supergraphs/interface-objects.ts';
import { mashedKeys } from './testing/supergraphs/mashed-keys.ts';
import { mismatches } from './testing/supergraphs/mismatches.ts';
import { renamed } from './testing/supergraphs/renamed.ts';
import { requiredArguments } from './testing/supergraphs/required-arguments.ts';
import { requiresOnInterfaces } from './testing/supergraphs/requires-on-interfaces.ts';
import { requires } from './testing/supergraphs/requires.ts';
import { unknownObjects } from './testing/supergraphs/unknown-objects.ts';

interface BothResults {
  ours: ExecutionResult | undefined;
  theirs: ExecutionResult | undefined;
}

async function runBoth(fixture: TestSupergraph, source: string, variables = {}): Promise<BothResults> {
  const engines = openBoth(fixture);
  const [ours] = await resultsOf(engines.ours, { source, variables });
  const [theirs] = await resultsOf(engines.theirs, { source, variables });
  return { ours, theirs };
}

describe('required fields with arguments', () => {
  test('passes them with these arguments', async () => {
    const { ours, theirs } = await runBoth(requiredArguments, '{ stations { id hat tea } }');
    expect(ours).toEqual({
      data: {
        stations: [
          { id: '1', hat: 'hat at 68', tea: 'tea at 25' },
          { id: '2', hat: 'hat at null', tea: 'tea at null' },
        ],
      },
    });
    expect(theirs).not.toEqual(ours);
  });

  test("keeps the client's own selection of the same field", async () => {
    const { ours, theirs } = await runBoth(requiredArguments, '{ stations { hat temperature warm: temperature(offset: 30) } }');
    expect(ours?.data?.['stations']).toMatchObject([{ hat: 'hat at 68', temperature: 20, warm: 50 }, { temperature: null }]);
    expect(theirs?.data).not.toEqual(ours?.data);
  });

  test('passes one field with different arguments to one subgraph', async () => {
    const source = 'query($loud: Boolean, $quiet: Boolean) { stations { hat(loud: $loud) shoes(loud: $quiet) again: shoes } }';
    const { ours, theirs } = await runBoth(requiredArguments, source, { loud: true, quiet: false });
    expect(ours?.data?.['stations']).toMatchObject([{ hat: 'hat at 68!', shoes: 'shoes at 20', again: 'shoes at 20' }, {}]);
    expect(theirs?.data).not.toEqual(ours?.data);
  });

  test('keeps them apart under nested conditions', async () => {
    const source = 'query($bare: Boolean!) { stations { ... @skip(if: $bare) @include(if: true) { shoes } hat } }';
    const { ours } = await runBoth(requiredArguments, source, { bare: false });
    expect(ours?.data?.['stations']).toMatchObject([{ hat: 'hat at 68', shoes: 'shoes at 20' }, {}]);
  });
});

describe('one entity at several places', () => {
  const logos = async (book: string, film: string, variables = {}) => {
    const source = `query($size: Int = 3) { things { ... on Book { maker { ${book} } } ... on Film { maker { ${film} } } } }`;
    const { ours } = await runBoth(renamed, source, variables);
    return ours?.data?.['things'];
  };

  test('returns one field with the arguments of each place', async () => {
    const result = await logos('logo(size: 1)', 'logo(size: $size)', { size: 2 });
    expect(result).toEqual([{ maker: { logo: 'm1 1 - -' } }, { maker: { logo: 'm1 2 - -' } }, { maker: { logo: 'm2 2 - -' } }]);
  });

  test('returns different fields under one alias', async () => {
    const result = await logos('it: logo(size: 1)', 'it: id');
    expect(result).toEqual([{ maker: { it: 'm1 1 - -' } }, { maker: { it: 'm1' } }, { maker: { it: 'm2' } }]);
  });

  test('treats arguments as equal in any order', async () => {
    const { ours } = await runBoth(
      renamed,
      `{ things { ... on Book { maker { logo(size: 1, style: { bold: true, hue: "red" }) } }
                  ... on Book { maker { id logo(style: { hue: "red", bold: true }, size: 1) } } } }`,
    );
    expect(ours).toEqual({ data: { things: [{ maker: { id: 'm1', logo: 'm1 1 true red' } }, {}, {}] } });
  });
});

describe('subgraphs with renamed root types', () => {
  test('sends them fragments on a root type', async () => {
    const { ours, theirs } = await runBoth(renamed, 'query($all: Boolean = true) { ... on Query @include(if: $all) { count makers } }');
    expect(ours).toEqual({ data: { count: 3, makers: 2 } });
    expect(theirs?.data).toBeNull();
  });

  test('runs their mutations', async () => {
    const source = 'mutation($all: Boolean!) { ...Everything @include(if: $all) } fragment Everything on Mutation { recount(from: 4) }';
    const { ours, theirs } = await runBoth(renamed, source, { all: true });
    expect(ours).toEqual({ data: { recount: 7 } });
    expect(theirs?.data).toBeNull();
  });
});

describe('fragments', () => {
  test('keeps a fragment nested in one on an abstract type', async () => {
    const { ours, theirs } = await runBoth(mismatches, '{ first { ... on Anyone { ... on Human { nick } } } }');
    expect(ours).toEqual({ data: { first: { nick: 'A' } } });
    expect(theirs).toEqual({ data: { first: {} } });
  });

  test('returns objects none of whose fields are included', async () => {
    const source = 'query($all: Boolean!) { homes @include(if: $all) { address @include(if: false) { id } } letters { id } }';
    const { ours, theirs } = await runBoth(requiresOnInterfaces, source, { all: true });
    expect(ours).toEqual({ data: { homes: [{}, {}, {}], letters: [{ id: 'h1' }, null, { id: 'h2' }, { id: 'h9' }] } });
    expect(theirs?.data).toBeNull();
  });
});

describe('excluded fields', () => {
  test('returns the others', async () => {
    const { ours, theirs } = await runBoth(requires, '{ parcel(id: "1") { toll size @include(if: false) } parcels { label } }');
    expect(ours?.data?.['parcel']).toEqual({ toll: 12 });
    expect(theirs?.data?.['parcel']).toEqual({ toll: null });
  });
});

describe('other paths to a field', () => {
  test('passes arguments from an object above', async () => {
    const { ours, theirs } = await runBoth(contexts, '{ users { letters { text } } }');
    expect(ours).toEqual({
      data: { users: [{ letters: [{ text: 'a in en' }, { text: 'b in en' }] }, { letters: [{ text: 'a in null' }] }] },
    });
    expect(theirs?.data).not.toEqual(ours?.data);
  });

  test('resolves the type of an interface object of another subgraph', async () => {
    const { ours, theirs } = await runBoth(interfaceObjects, '{ favourite { __typename ... on Park { a: id guide { language } } } }');
    expect(ours).toEqual({ data: { favourite: { __typename: 'Park', a: 'p1', guide: { language: 'Bemba' } } } });
    expect(theirs).toEqual({ data: { favourite: null } });
  });

  test('returns to a subgraph by a resolvable key', async () => {
    const { ours, theirs } = await runBoth(deadEnds, '{ lockers { label } }');
    expect(ours).toEqual({ data: { lockers: [{ label: '7 Ada' }, { label: '8 Ben' }] } });
    expect(theirs?.data).toEqual({ lockers: [{ label: null }, { label: null }] });
  });

  test('refuses unsatisfiable fields instead of returning null', async () => {
    const { ours, theirs } = await runBoth(deadEnds, '{ all: lockers { label } tool { colour } }');
    expect(ours?.data).toBeUndefined();
    expect(ours?.errors).toMatchObject([{ message: expect.stringContaining('"tool"'), extensions: { code: 'OPERATION_UNSATISFIABLE' } }]);
    expect(theirs?.data).toMatchObject({ tool: null });
    expect(theirs?.errors).toBeUndefined();
  });

  test('runs the operation when the unsatisfiable field is excluded', async () => {
    const source =
      'query($dyed: Boolean!) { tool @include(if: $dyed) { colour } ... @skip(if: true) { tool { colour } } spare { colour } }';
    const { ours } = await runBoth(deadEnds, source, { dyed: false });
    expect(ours).toEqual({ data: { spare: { colour: 'red' } } });
  });

  test('reports an error for __typename of an object of unknown type', async () => {
    const { ours, theirs } = await runBoth(unknownObjects, '{ best { id __typename } }');
    expect(ours?.data).toEqual({ best: null });
    expect(ours?.errors).toMatchObject([{ path: ['best', '__typename'], extensions: { code: 'SUBGRAPH_ANSWER_INVALID' } }]);
    expect(theirs).toEqual({ data: { best: null } });
  });

  test('joins over keys with common fields', async () => {
    const { ours, theirs } = await runBoth(
      mashedKeys,
      '{ booking { rooms { sign alarm place { floor wing block } } } alarms { sign } rooms { alarm } }',
    );
    expect(ours).toEqual({
      data: {
        booking: {
          rooms: [
            { sign: '1 Red', alarm: true, place: { floor: 'f1', wing: 'w1', block: 'b1' } },
            { sign: '2 Blue', alarm: false, place: { floor: 'f1', wing: 'w2', block: 'b1' } },
          ],
        },
        alarms: [{ sign: '1 Red' }, { sign: '2 Blue' }],
        rooms: [{ alarm: true }, { alarm: false }],
      },
    });
    expect(theirs).toEqual(ours);
  });
});
