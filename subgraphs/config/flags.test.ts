import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { viewer, type TestApp } from '#shared/testing/open.ts';
import { changeOf, flags, openShelves } from './fixtures.ts';

const UPDATE = `mutation ($input: UpdateFlagInput!) {
  updateFlag(input: $input) { flag { version isOn isKilled } userErrors { code path } } }`;
const ROLLBACK = 'mutation ($input: RollbackFlagInput!) { rollbackFlag(input: $input) { flag { version isOn } userErrors { code path } } }';
const SAVE = 'mutation ($input: SaveSegmentInput!) { saveSegment(input: $input) { segment { key version } userErrors { code path } } }';
const DELETE = 'mutation ($input: DeleteSegmentInput!) { deleteSegment(input: $input) { deletedKey userErrors { code path } } }';
const EVALUATE = 'query ($context: FlagContextInput, $keys: [ID!]) { evaluateFlags(context: $context, keys: $keys) { id isOn reason } }';
const DAY = 24 * 3_600_000;
const reason = 'a test';

let app: TestApp;
beforeAll(async () => {
  app = await openShelves();
});
afterAll(() => app.close());

const { glass, lights } = flags;
const tinted = flags['glass-tinted'];
const versions = new Map<string, number>();
const context = (as: string | null = null) => app.context('shelves', { viewer: as === null ? null : viewer(as) }).flags;

/** Changes rules and waits until they are in force here. */
async function decide(flag: { id: string }, rules: Record<string, unknown>) {
  const key = `${flag.id} ${JSON.stringify(rules['scope'] ?? null)}`;
  const seen = changeOf(app.host.settings, flag.id);
  const input = { id: flag.id, reason, expectedVersion: versions.get(key) ?? 0, ...rules };
  const { updateFlag } = (await app.ask(UPDATE, { input })).data;
  if (updateFlag.userErrors.length > 0) return updateFlag.userErrors;
  versions.set(key, (versions.get(key) ?? 0) + 1);
  await seen;
  return [];
}

const saveSegment = async (input: object) =>
  (await app.ask(SAVE, { input: { reason, expectedVersion: 0, description: 'Some.', ...input } })).data.saveSegment;

test('a flag is its default, until it is decided, for all or for one scope', async () => {
  expect(await context().evaluate(glass)).toEqual({ isOn: false, reason: 'DEFAULT' });
  expect(await context().isOn(lights)).toBe(true);

  await decide(glass, { isOn: true });
  await decide(glass, { isOn: false, scope: { kind: 'vendor', id: 'ven_1' } });

  expect(await context().evaluate(glass, { vendor: 'ven_2' })).toEqual({ isOn: true, reason: 'STATIC' });
  expect(await context().evaluate(glass, { vendor: 'ven_1' })).toEqual({ isOn: false, reason: 'OVERRIDE' });
  expect(await decide(glass, { isKilled: true, scope: { kind: 'vendor', id: 'ven_3' } })).toEqual([
    { code: 'INVALID', path: ['input', 'isKilled'] },
  ]);
  expect(await decide(glass, { isOn: true, scope: { kind: 'country', id: 'ZM' } })).toEqual([
    { code: 'INVALID', path: ['input', 'scope', 'kind'] },
  ]);

  await decide(glass, { isOn: null, scope: { kind: 'vendor', id: 'ven_1' } });
  expect(await context().isOn(glass, { vendor: 'ven_1' })).toBe(true);
});

test('the kill switch goes before everything, and dates before all else', async () => {
  await decide(glass, { isKilled: true });
  expect(await context().evaluate(glass)).toEqual({ isOn: false, reason: 'DISABLED' });

  const now = app.clock.now().getTime();
  await decide(glass, { isKilled: false, startsAt: new Date(now + DAY).toISOString(), endsAt: new Date(now + 2 * DAY).toISOString() });
  expect(await context().evaluate(glass)).toEqual({ isOn: false, reason: 'SCHEDULED' });
  app.clock.advance(DAY + 1_000);
  expect(await context().evaluate(glass)).toEqual({ isOn: true, reason: 'STATIC' });
  app.clock.advance(DAY);
  expect(await context().evaluate(glass)).toEqual({ isOn: false, reason: 'SCHEDULED' });
  expect(await decide(glass, { endsAt: new Date(now).toISOString() })).toEqual([{ code: 'INVALID', path: ['input', 'endsAt'] }]);
  await decide(glass, { startsAt: null, endsAt: null });
});

test('a roll-out gives each subject the same answer, and growing it only adds subjects', async () => {
  const subjects = Array.from({ length: 500 }, (_, index) => `usr_${index}`);
  const chosen = async () => {
    const answers = await Promise.all(subjects.map((user) => context(user).isOn(glass)));
    return subjects.filter((_, index) => answers[index]);
  };
  await decide(glass, { rollout: { percentage: 20 } });
  const few = await chosen();
  await decide(glass, { rollout: { percentage: 60 } });
  const many = await chosen();

  expect(few.length).toBeGreaterThan(50);
  expect(few.length).toBeLessThan(150);
  expect(many.length).toBeGreaterThan(240);
  expect(few.filter((user) => !many.includes(user))).toEqual([]);
  expect(await chosen()).toEqual(many);
  expect(await context().evaluate(glass)).toMatchObject({ isOn: true, reason: 'STATIC', lacksSubject: true });
  expect(await decide(glass, { rollout: { percentage: 100.5 } })).toEqual([{ code: 'INVALID', path: ['input', 'rollout', 'percentage'] }]);
  await decide(glass, { rollout: null, isOn: false });
});

test('a segment decides for those who pass all of its conditions, and cannot go while it is used', async () => {
  const conditions = [
    { attribute: 'country', operator: 'IN', values: ['ZM', 'MW'] },
    { attribute: 'appVersion', operator: 'AT_LEAST', values: ['1.9'] },
  ];
  expect(await saveSegment({ key: 'new-app', conditions })).toEqual({ segment: { key: 'new-app', version: 1 }, userErrors: [] });
  expect((await saveSegment({ key: 'new-app', conditions })).userErrors).toMatchObject([{ code: 'STALE_VERSION' }]);
  await decide(glass, { segments: [{ segmentKey: 'new-app', isOn: true }] });

  expect(await context().evaluate(glass, { country: 'ZM', appVersion: '1.10' })).toEqual({ isOn: true, reason: 'SEGMENT' });
  expect(await context().isOn(glass, { country: 'ZM', appVersion: '1.8' })).toBe(false);
  expect(await context().isOn(glass, { appVersion: '2.0' })).toBe(false);

  const seen = changeOf(app.host.settings, glass.id);
  await saveSegment({ key: 'new-app', conditions: conditions.slice(0, 1), expectedVersion: 1 });
  await seen;
  expect(await context().isOn(glass, { country: 'ZM', appVersion: '1.8' })).toBe(true);

  const remove = async () => (await app.ask(DELETE, { input: { key: 'new-app', expectedVersion: 2, reason } })).data.deleteSegment;
  expect(await remove()).toEqual({ deletedKey: null, userErrors: [{ code: 'SEGMENT_IN_USE', path: ['input', 'key'] }] });
  expect(await decide(glass, { segments: [{ segmentKey: 'nobody', isOn: true }] })).toEqual([
    { code: 'NOT_FOUND', path: ['input', 'segments', '0', 'segmentKey'] },
  ]);
  await decide(glass, { segments: [] });
  expect((await remove()).deletedKey).toBe('new-app');
});

test('a flag is off while one that it depends on is not as it must be, and no cycle can be made', async () => {
  await decide(tinted, { isOn: true, prerequisites: [{ flagId: glass.id, isOn: true }] });

  expect(await context().evaluate(tinted)).toEqual({ isOn: false, reason: 'PREREQUISITE' });
  await decide(glass, { isOn: true });
  expect(await context().evaluate(tinted)).toEqual({ isOn: true, reason: 'STATIC' });
  const cycle = [{ code: 'FLAG_CYCLE', path: ['input', 'prerequisites'] }];
  expect(await decide(glass, { prerequisites: [{ flagId: tinted.id, isOn: true }] })).toEqual(cycle);
  expect(await decide(glass, { prerequisites: [{ flagId: glass.id, isOn: true }] })).toEqual(cycle);
  expect(await decide(lights, { prerequisites: [{ flagId: 'shelves.none', isOn: true }] })).toEqual([
    { code: 'NOT_FOUND', path: ['input', 'prerequisites', '0', 'flagId'] },
  ]);
});

test('rules go back to an earlier version', async () => {
  const version = versions.get(`${glass.id} null`)!;
  const seen = changeOf(app.host.settings, glass.id);
  const { rollbackFlag } = (await app.ask(ROLLBACK, { input: { id: glass.id, reason, toVersion: 0, expectedVersion: version } })).data;
  await seen;
  versions.set(`${glass.id} null`, version + 1);

  expect(rollbackFlag).toEqual({ flag: { version: version + 1, isOn: null }, userErrors: [] });
  expect(await context().evaluate(glass)).toEqual({ isOn: false, reason: 'DEFAULT' });
  const { history } = (
    await app.ask('query ($id: ID!) { flag(id: $id) { history(first: 1) { nodes { version after reason } } } }', { id: glass.id })
  ).data.flag;
  expect(history.nodes).toEqual([{ version: version + 1, after: null, reason }]);
});

test('clients evaluate public flags only, and cannot speak for another user', async () => {
  const all = (await app.ask(EVALUATE, {}, { as: null })).data.evaluateFlags;
  expect(all).toEqual([
    { id: glass.id, isOn: false, reason: 'DEFAULT' },
    { id: lights.id, isOn: true, reason: 'DEFAULT' },
  ]);
  expect((await app.ask(EVALUATE, { keys: [tinted.id] }, { as: null })).data.evaluateFlags).toEqual([]);

  await saveSegment({ key: 'ada', conditions: [{ attribute: 'user', operator: 'IN', values: ['usr_ada'] }] });
  await decide(glass, { segments: [{ segmentKey: 'ada', isOn: true }] });
  const context_ = { attributes: [{ name: 'user', value: 'usr_ada' }] };
  const ask = async (as: string) =>
    (await app.ask(EVALUATE, { keys: [glass.id], context: context_ }, { as: viewer(as) })).data.evaluateFlags[0].isOn;
  expect(await ask('usr_eve')).toBe(false);
  expect(await ask('usr_ada')).toBe(true);
  const many = { attributes: Array.from({ length: 21 }, (_, index) => ({ name: `a${index}`, value: '' })) };
  expect((await app.ask(EVALUATE, { context: many }, { as: null })).errors).toMatchObject([
    { extensions: { code: 'INVALID', path: ['context', 'attributes'] } },
  ]);
});

test('flags that can leave the code are listed with the reason', async () => {
  const list = async (days?: number) => {
    const { staleFlags } = (await app.ask('query ($days: Int) { staleFlags(days: $days) { flag { id } staleness } }', { days })).data;
    return Object.fromEntries(staleFlags.map(({ flag, staleness }: { flag: { id: string }; staleness: string }) => [flag.id, staleness]));
  };
  expect(await list(5)).toEqual({});

  app.clock.advance(40 * DAY);
  expect(await list()).toEqual({ [glass.id]: 'NOT_EVALUATED', [tinted.id]: 'NOT_EVALUATED', [lights.id]: 'NOT_EVALUATED' });
  expect((await app.ask('{ staleFlags(days: 0) { staleness } }')).errors).toMatchObject([{ extensions: { code: 'INVALID' } }]);
});

test('flag changes are told live to admins', async () => {
  const stream = await app.subscribe('subscription { flagChanged { flag { id isKilled } scope { id } } }');
  await decide(lights, { isKilled: true });

  const { value } = await stream.next();
  await stream.return?.();
  expect(value.data.flagChanged).toEqual({ flag: { id: lights.id, isKilled: true }, scope: null });
});
