import { describe, expect, test } from '@jest/globals';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { COMMON_CODES } from '#shared/base/errors.ts';
import { jobFailed } from '#shared/kit/job-events.ts';
import { allOperationsPermissions, operationsApiTypeDefs } from '#shared/runtime/build-schema.ts';
import { completeTypeDefs } from '#shared/runtime/build-schema.ts';
import { isAuditedMutation } from '#shared/kit/mutation.ts';
import { isAuthorizedPerEvent } from '#shared/kit/topic-stream.ts';
import { composeSupergraph } from './compose.ts';
import { rootFieldsGuardedOtherwise, rootFieldsOfNobody } from './rules/audience.ts';
import { readRefusals } from './rules/codes.ts';
import { readSdl } from './rules/document.ts';
import { missingNames, readmeFaults } from './rules/folder.ts';
import { loadContract, loadHouse, productionSources, ROOT, subgraphFolders, type House } from './rules/load-subgraph.ts';
import {
  declaredRefusals,
  entitiesOfNobody,
  entitiesWithoutRule,
  enumsThatSeemClosed,
  mandatoryForeignFields,
  mandatoryOwnParts,
  mutationsOfOtherShape,
  rootFieldsWithoutRule,
  unboundedLists,
  undescribed,
} from './rules/sdl.ts';

const FOLDERS = subgraphFolders();
const preamble = readFileSync(join(ROOT, 'shared/kit/common-types.graphql'), 'utf8');
const kitRefusals = readRefusals(productionSources('shared'));

/** Codes that leave as errors of the whole request, never in `userErrors`: they are no values of UserErrorCode. */
const TOP_LEVEL_ONLY = new Set([
  'BAD_REQUEST',
  'BAD_USER_INPUT',
  'COMPENSATED_BY_ADMIN',
  'CURSOR_EXPIRED',
  'GRAPHQL_PARSE_FAILED',
  'GRAPHQL_VALIDATION_FAILED',
  'INTERNAL_SERVER_ERROR',
  'INTROSPECTION_DISABLED',
  'INVALID_CURSOR',
  'METHOD_NOT_ALLOWED',
  'OPERATION_RESOLUTION_FAILURE',
  'OPERATION_TOO_COMPLEX',
  'OPERATION_UNSATISFIABLE',
  'OVERLOADED',
  'PERSISTED_QUERY_NOT_FOUND',
  'PAYLOAD_TOO_LARGE',
  'PERSISTED_QUERY_NOT_FOUND',
  'PERSISTED_QUERY_NOT_SUPPORTED',
  'RATE_LIMITED',
  'SLOW_CONSUMER',
  'SUBGRAPH_ANSWER_INVALID',
  'SUBGRAPH_ERROR',
  'SUBGRAPH_UNAVAILABLE',
  'SUBSCRIPTION_NOT_SUPPORTED',
  'SUBSCRIPTION_OVER_HTTP',
  'TIMEOUT',
  'TOO_MANY_OPERATIONS',
  'UNAUTHENTICATED',
  'UNKNOWN_COMMAND',
  'UNKNOWN_EVENT',
  'UNKNOWN_OPERATION',
]);

const houses = new Map<string, Promise<House>>();
function houseOf(name: string): Promise<House> {
  const found = houses.get(name) ?? loadHouse(name);
  houses.set(name, found);
  return found;
}

const allHouses = (): Promise<House[]> => Promise.all(FOLDERS.map(houseOf));

const twice = (names: readonly string[]): string[] => names.filter((name, index) => names.indexOf(name) !== index);

describe.each(FOLDERS)('%s', (name) => {
  test('has the same names as every other subgraph', () => {
    expect(missingNames(join(ROOT, 'subgraphs', name))).toEqual([]);
  });

  test('asks for rights at each event of each of its streams', async () => {
    const streams = Object.entries<{ subscribe: object }>((await houseOf(name)).subgraph.resolvers['Subscription'] ?? {});

    expect(streams.filter(([, { subscribe }]) => !isAuthorizedPerEvent(subscribe)).map(([field]) => field)).toEqual([]);
  });

  test('leaves an audit row of each mutation', async () => {
    const mutations = Object.entries<object>((await houseOf(name)).subgraph.resolvers['Mutation'] ?? {});

    expect(mutations.filter(([, resolver]) => !isAuditedMutation(resolver)).map(([field]) => field)).toEqual([]);
  });

  test('is called like its folder', async () => {
    expect((await houseOf(name)).subgraph.name).toBe(name);
  });

  test('opens each root field by a rule of its own', async () => {
    expect(rootFieldsWithoutRule((await houseOf(name)).sdl)).toEqual([]);
  });

  test('tells the gateway of each root field who may ask for it, as its rules do', async () => {
    expect(rootFieldsGuardedOtherwise((await houseOf(name)).sdl)).toEqual([]);
  });

  test('has each root field in at least one contract', async () => {
    expect(rootFieldsOfNobody((await houseOf(name)).sdl)).toEqual([]);
  });

  test('guards each entity on the entity door', async () => {
    expect(entitiesWithoutRule((await houseOf(name)).sdl)).toEqual([]);
  });

  test('says which entities it owns and which it extends', async () => {
    const house = await houseOf(name);

    expect(entitiesOfNobody(house.sdl, new Set([...house.owns, ...house.extends]))).toEqual([]);
  });

  test('takes one input and answers one payload in each mutation', async () => {
    expect(mutationsOfOtherShape((await houseOf(name)).sdl)).toEqual([]);
  });

  test('describes everything clients see', async () => {
    expect(undescribed((await houseOf(name)).sdl)).toEqual([]);
  });

  test('tells that its enums may grow', async () => {
    expect(enumsThatSeemClosed((await houseOf(name)).sdl)).toEqual([]);
  });

  test('survives that the owner of another entity is down', async () => {
    expect(mandatoryForeignFields((await houseOf(name)).sdl)).toEqual([]);
  });

  test('costs its own fields only when it is down itself', async () => {
    expect(mandatoryOwnParts((await houseOf(name)).sdl)).toEqual([]);
  });

  test('says how long the lists may be that it is given', async () => {
    expect(unboundedLists((await houseOf(name)).sdl)).toEqual([]);
  });

  test('documents each refusal it throws', async () => {
    const { sdl, refusals } = await houseOf(name);
    const { codes, types } = declaredRefusals(sdl);
    const common = declaredRefusals(readSdl(preamble, {}, new Set()));
    const undocumented = refusals.thrown.filter(({ code }) => !codes.includes(code) && !(code in COMMON_CODES));

    expect([...new Set(undocumented.map(({ code, file }) => `${code} in ${file}`))]).toEqual([]);
    expect(refusals.types.filter((type) => !types.includes(type) && !common.types.includes(type))).toEqual([]);
  });

  test('throws each refusal it documents, or passes it on from a subgraph it asks', async () => {
    const { sdl, refusals, uses } = await houseOf(name);
    const { codes, types } = declaredRefusals(sdl);
    const asked = [...uses].map((each) => readRefusals(productionSources(`subgraphs/${each}`)));
    const sources = [refusals, kitRefusals, ...asked];
    const dead = codes.filter((code) => !sources.some(({ mentioned }) => mentioned.has(code)));

    expect(dead).toEqual([]);
    expect(types.filter((type) => !sources.some((each) => each.types.includes(type)))).toEqual([]);
  });

  test('has a README that lists what it publishes, subscribes to and handles', async () => {
    const { readme, subgraph, events, commands } = await houseOf(name);
    const subscribesTo = subgraph.handlers.flatMap((handler) => (handler.kind === 'event' ? [handler.event.type] : []));
    const messages = {
      publishes: events.map(({ type }) => type),
      subscribesTo,
      handles: commands.map((command) => command.name.split('.')[1]!),
    };

    expect(readmeFaults(readme, name, messages)).toEqual([]);
  });

  test('handles the commands of its contract, each once, and no others', async () => {
    const { subgraph, commands } = await houseOf(name);
    const answered = subgraph.handlers.flatMap((handler) => (handler.kind === 'command' ? [handler.command.name] : []));

    expect(answered.sort()).toEqual(commands.map((command) => command.name).sort());
    expect(commands.filter(({ owner }) => owner !== name).map((command) => command.name)).toEqual([]);
  });

  test('subscribes only to events of a contract', async () => {
    const { subgraph } = await houseOf(name);
    const contracts = await Promise.all(FOLDERS.map(loadContract));
    // Each subgraph publishes that of the kit.
    const declared = new Set([...contracts.flatMap(({ events }) => events), jobFailed]);
    const unknown = subgraph.handlers.flatMap((handler) =>
      handler.kind === 'event' && !declared.has(handler.event) ? [handler.event.type] : [],
    );

    expect(unknown).toEqual([]);
  });
});

describe('all subgraphs', () => {
  test('give each event, queue and command one name', async () => {
    const contracts = await Promise.all(FOLDERS.map(loadContract));
    const events = contracts.flatMap((contract) => contract.events);

    expect(twice(events.map(({ type, version }) => `${type} ${version}`))).toEqual([]);
    expect(twice(contracts.flatMap(({ commands }) => commands.map(({ name }) => name)))).toEqual([]);
    const misnamed = events.filter(({ type, queue }) => !(queue ? /^[a-z]+(-[a-z]+)*$/ : /^[A-Z][A-Za-z]*\.[A-Z][A-Za-z]*$/).test(type));
    expect(misnamed.map(({ type }) => type)).toEqual([]);
    // Each subgraph consumes its events on a queue of its own name.
    expect(events.filter(({ queue }) => queue !== undefined && FOLDERS.includes(queue)).map(({ type }) => type)).toEqual([]);
  });

  test('do each kind of work in one place', async () => {
    const done = (await allHouses()).flatMap(({ subgraph }) => [
      ...new Set(subgraph.handlers.flatMap((handler) => (handler.kind === 'event' && handler.event.queue ? [handler.event.queue] : []))),
    ]);

    expect(twice(done)).toEqual([]);
  });

  test('own each entity once', async () => {
    const loaded = await allHouses();
    const owned = loaded.flatMap((house) => [...house.owns]);

    expect(twice(owned)).toEqual([]);
    expect(
      loaded.flatMap((house) => [...house.extends].filter((type) => !owned.includes(type)).map((type) => `${type} in ${house.name}`)),
    ).toEqual([]);
  });

  test('compose', async () => {
    const sources = (await allHouses()).map(({ name, subgraph }) => ({
      name,
      url: `http://${name}/graphql`,
      typeDefs: completeTypeDefs(subgraph),
      file: `subgraphs/${name}`,
    }));

    expect(composeSupergraph(sources)).toContain('type Query');
  });
});

describe('the kit', () => {
  const kit = readSdl(`${preamble}\n${operationsApiTypeDefs}`, allOperationsPermissions, new Set());

  test('keeps the same rules in what it adds to every subgraph', () => {
    expect(rootFieldsWithoutRule(kit)).toEqual([]);
    expect(mutationsOfOtherShape(kit)).toEqual([]);
    expect(undescribed(kit)).toEqual([]);
    expect(enumsThatSeemClosed(kit)).toEqual([]);
    expect(unboundedLists(kit)).toEqual([]);
    expect(mandatoryOwnParts(kit)).toEqual([]);
  });

  test('documents each refusal that it and the gateway throw', () => {
    const { codes } = declaredRefusals(kit);
    const thrown = [...kitRefusals.thrown, ...readRefusals(productionSources('gateway')).thrown];
    const undocumented = thrown.filter(({ code }) => !codes.includes(code) && !(code in COMMON_CODES));

    expect([...new Set(undocumented.map(({ code, file }) => `${code} in ${file}`))]).toEqual([]);
  });

  test('tells the gateway who may ask for its own root fields, and has them in a contract', () => {
    const sdl = readSdl(operationsApiTypeDefs, allOperationsPermissions, new Set());

    expect([...rootFieldsGuardedOtherwise(sdl), ...rootFieldsOfNobody(sdl)]).toEqual([]);
  });

  test('has the same common codes in its catalogue and in the schema', () => {
    const { codes } = declaredRefusals(readSdl(preamble, {}, new Set()));

    expect(codes.filter((code) => !(code in COMMON_CODES))).toEqual([]);
    expect(Object.keys(COMMON_CODES).filter((code) => !codes.includes(code) && !TOP_LEVEL_ONLY.has(code))).toEqual([]);
  });
});
