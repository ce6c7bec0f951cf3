import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { viewer, type TestApp } from '#shared/testing/open.ts';
import { changeOf, openShelves, settings } from './fixtures.ts';

const UPDATE = `mutation ($input: UpdateSettingInput!) {
  updateSetting(input: $input) { setting { value version } userErrors { __typename code path message ... on InvalidSettingError { rule } } } }`;
const RESET =
  'mutation ($input: ResetSettingInput!) { resetSetting(input: $input) { setting { value isSet version } userErrors { code path } } }';
const ROLLBACK =
  'mutation ($input: RollbackSettingInput!) { rollbackSetting(input: $input) { setting { value version } userErrors { code path } } }';
const HISTORY = `query ($id: ID!) { setting(id: $id) {
  history(first: 10) { nodes { version scope { kind id } before after reason by { id } } } } }`;
const reason = 'a test';

let app: TestApp;
beforeAll(async () => {
  app = await openShelves();
});
afterAll(() => app.close());

const set = async (input: object) => (await app.ask(UPDATE, { input: { reason, expectedVersion: 0, ...input } })).data.updateSetting;
const read = () => app.context('shelves').settings;

describe('a setting', () => {
  test('is listed with what its code says, without its secret', async () => {
    const { settings: list } = (
      await app.ask(`{ settings(where: { owner: { eq: "shelves" } }) { totalCount nodes {
        id owner description default scopes isEncrypted isRegistered value isSet version updatedAt valueSchema } } }`)
    ).data;

    expect(list.totalCount).toBe(3);
    expect(list.nodes).toMatchObject([
      { id: 'shelves.key', default: null, isEncrypted: true },
      { id: 'shelves.material', default: '{"wood":"oak","layers":[1]}', scopes: [] },
      {
        id: 'shelves.width',
        default: '60',
        scopes: ['vendor', 'country'],
        isRegistered: true,
        value: null,
        isSet: false,
        version: 0,
        updatedAt: null,
      },
    ]);
    expect(JSON.parse(list.nodes[2].valueSchema)).toMatchObject({ type: 'integer', minimum: 1, maximum: 500 });
  });

  test('changes where it is read, most specific scope first, and says who changed what and why', async () => {
    expect(await read().get(settings.width, { vendor: 'ven_1', country: 'ZM' })).toBe(60);

    const global = changeOf(app.host.settings, settings.width.id);
    expect(await set({ id: settings.width.id, value: '70' })).toEqual({ setting: { value: '70', version: 1 }, userErrors: [] });
    await global;
    const country = changeOf(app.host.settings, settings.width.id);
    expect((await set({ id: settings.width.id, value: '80', scope: { kind: 'country', id: 'ZM' } })).userErrors).toEqual([]);
    await country;
    const one = changeOf(app.host.settings, settings.width.id);
    expect((await set({ id: settings.width.id, value: '90', scope: { kind: 'vendor', id: 'ven_1' } })).userErrors).toEqual([]);
    await one;

    expect(await read().get(settings.width)).toBe(70);
    expect(await read().get(settings.width, { country: 'ZM' })).toBe(80);
    expect(await read().get(settings.width, { vendor: 'ven_1', country: 'ZM' })).toBe(90);
    expect(await read().get(settings.width, { vendor: 'ven_2', country: 'MW' })).toBe(70);
    const { history } = (await app.ask(HISTORY, { id: settings.width.id })).data.setting;
    expect(history.nodes).toEqual([
      { version: 1, scope: { kind: 'vendor', id: 'ven_1' }, before: null, after: '90', reason, by: { id: 'usr_admin' } },
      { version: 1, scope: { kind: 'country', id: 'ZM' }, before: null, after: '80', reason, by: { id: 'usr_admin' } },
      { version: 1, scope: null, before: null, after: '70', reason, by: { id: 'usr_admin' } },
    ]);
    const { overrides } = (
      await app.ask('query ($id: ID!) { setting(id: $id) { overrides { nodes { scope { id } value version } } } }', {
        id: settings.width.id,
      })
    ).data.setting;
    expect(overrides.nodes).toEqual([
      { scope: { id: 'ZM' }, value: '80', version: 1 },
      { scope: { id: 'ven_1' }, value: '90', version: 1 },
    ]);
    expect((await app.said('Setting.Changed')).map(({ data }) => data)).toMatchObject([
      { settingId: settings.width.id, scope: 'GLOBAL', version: 1 },
      { scope: 'country:ZM' },
      { scope: 'vendor:ven_1' },
    ]);
  });

  test.each([
    ['a number that is too large', settings.width.id, '501', ['input', 'value'], 'too_big'],
    ['another type', settings.width.id, '"wide"', ['input', 'value'], 'invalid_type'],
    ['what is no JSON', settings.width.id, 'wide', ['input', 'value'], 'invalid_json'],
    ['a part that is wrong', settings.material.id, '{"wood":"oak","layers":[1,2.5]}', ['input', 'value', 'layers', '1'], 'invalid_type'],
    ['what only a rule in its code knows', settings.material.id, '{"wood":"balsa","layers":[]}', ['input', 'value', 'wood'], 'TOO_SOFT'],
  ])('refuses %s, as its own subgraph does', async (_what, id, value, path, rule) => {
    const { setting, userErrors } = await set({ id, value, expectedVersion: 1 });

    expect(setting).toBeNull();
    expect(userErrors).toMatchObject([{ __typename: 'InvalidSettingError', code: 'INVALID', path, rule }]);
  });

  test('refuses a stale version, an unknown setting, and a scope it has no values for', async () => {
    expect((await set({ id: settings.width.id, value: '75', expectedVersion: 0 })).userErrors).toMatchObject([{ code: 'STALE_VERSION' }]);
    expect((await set({ id: 'shelves.height', value: '75' })).userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'id'] }]);
    expect(
      (await set({ id: settings.material.id, value: '{"wood":"oak","layers":[]}', scope: { kind: 'vendor', id: 'v' } })).userErrors,
    ).toMatchObject([{ code: 'INVALID', path: ['input', 'scope', 'kind'] }]);
    expect(await read().get(settings.width)).toBe(70);
  });

  test('goes back to an earlier version, and to its default', async () => {
    const id = settings.width.id;
    const forth = changeOf(app.host.settings, id);
    expect((await set({ id, value: '75', expectedVersion: 1 })).userErrors).toEqual([]);
    await forth;

    const back = changeOf(app.host.settings, id);
    const { rollbackSetting } = (await app.ask(ROLLBACK, { input: { id, reason, toVersion: 1, expectedVersion: 2 } })).data;
    expect(rollbackSetting).toEqual({ setting: { value: '70', version: 3 }, userErrors: [] });
    await back;
    expect(await read().get(settings.width)).toBe(70);
    const never = (await app.ask(ROLLBACK, { input: { id, reason, toVersion: 9, expectedVersion: 3 } })).data.rollbackSetting;
    expect(never.userErrors).toMatchObject([{ code: 'NOT_FOUND', path: ['input', 'toVersion'] }]);

    const gone = changeOf(app.host.settings, id);
    const { resetSetting } = (await app.ask(RESET, { input: { id, reason, expectedVersion: 3 } })).data;
    expect(resetSetting).toEqual({ setting: { value: null, isSet: false, version: 4 }, userErrors: [] });
    await gone;
    expect(await read().get(settings.width)).toBe(60);
    expect(await read().get(settings.width, { country: 'ZM' })).toBe(80);
  });

  test('that is a secret is read, and shown nowhere', async () => {
    const seen = changeOf(app.host.settings, settings.key.id);
    const { setting } = await set({ id: settings.key.id, value: '"open sesame"' });
    await seen;

    const shown = await app.ask(`query ($id: ID!) { setting(id: $id) { isSet value history { nodes { before after } } } }`, {
      id: settings.key.id,
    });
    expect(setting).toEqual({ value: null, version: 1 });
    expect(shown.data.setting).toEqual({ isSet: true, value: null, history: { nodes: [{ before: null, after: null }] } });
    expect(await read().get(settings.key)).toBe('open sesame');
    const stored = JSON.stringify(await app.runtime('config').db.collection('values').find().toArray());
    const cached = await Promise.all((await app.host.redis.keys('*:settings:*')).map((key) => app.host.redis.get(key)));
    expect(`${stored} ${cached.join(' ')}`).not.toContain('sesame');
  });

  test('is told live to admins', async () => {
    const stream = await app.subscribe('subscription { settingChanged { setting { id value } scope { kind id } version } }');
    await set({ id: settings.material.id, value: '{"wood":"ash","layers":[]}' });

    const { value } = await stream.next();
    await stream.return?.();
    expect(value.data.settingChanged).toEqual({
      setting: { id: settings.material.id, value: '{"wood":"ash","layers":[]}' },
      scope: null,
      version: 1,
    });
  });

  test.each([
    '{ settings { nodes { id } } }',
    '{ flags { nodes { id } } }',
    '{ segments { nodes { key } } }',
    '{ staleFlags { staleness } }',
  ])('is for admins only: %s', async (query) => {
    const refused = await app.ask(query, {}, { as: viewer('usr_ada', ['customer']) });
    const nobody = await app.ask(query, {}, { as: null });

    expect(refused.errors).toMatchObject([{ extensions: { code: 'FORBIDDEN' } }]);
    expect(nobody.errors).toMatchObject([{ extensions: { code: 'UNAUTHENTICATED' } }]);
  });
});
