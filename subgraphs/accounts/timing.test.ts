import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { hash as bcryptHash } from '@node-rs/bcrypt';
import { newEmail, openAccounts, PASSWORD, type Accounts } from './testing.ts';

/* Nobody learns from the time of an answer whether an address has an account. Measured in turns, so that what else the machine does hits both. */

const ROUNDS = 40;
const LIMITS = { low: 0.67, high: 1.5 };

let app: Accounts;
beforeAll(async () => {
  app = await openAccounts();
});
afterAll(() => app.close());

const median = (values: number[]): number => values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;

async function timeOf(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

type Round = (round: number) => Promise<unknown>;

async function ratioOf(what: string, rounds: number, known: Round, unknown: Round): Promise<number> {
  const times: { known: number[]; unknown: number[] } = { known: [], unknown: [] };
  for (let round = 0; round < rounds; round += 1) {
    const knownFirst = round % 2 === 0;
    if (knownFirst) times.known.push(await timeOf(() => known(round)));
    times.unknown.push(await timeOf(() => unknown(round)));
    if (!knownFirst) times.known.push(await timeOf(() => known(round)));
  }
  const ratio = median(times.known) / median(times.unknown);
  console.info(
    `${what}: known ${median(times.known).toFixed(1)} ms, unknown ${median(times.unknown).toFixed(1)} ms, ratio ${ratio.toFixed(2)}`,
  );
  return ratio;
}

/** A machine that is busy with something else can spoil a measurement; a difference that is there spoils all three. */
async function expectSameTime(what: string, rounds: number, known: Round, unknown: Round): Promise<void> {
  // Connections, compiled queries and code paths are warm before anything is counted.
  for (let round = 0; round < 4; round += 1) await Promise.all([known(round), unknown(round)]);
  const ratios: number[] = [];
  const isSame = (ratio: number) => ratio > LIMITS.low && ratio < LIMITS.high;
  while (ratios.length < 3 && !ratios.some(isSame)) ratios.push(await ratioOf(what, rounds, known, unknown));
  expect(ratios.filter(isSame)).toHaveLength(1);
}

/** Enough accounts for none of them to be locked. */
const accounts = (count: number): Promise<string[]> => Promise.all(Array.from({ length: count }, async () => (await app.person()).email));

describe('a known and an unknown address take the same time', () => {
  test('to sign in with a wrong password', async () => {
    const emails = await accounts(20);

    await expectSameTime(
      'login',
      ROUNDS,
      (round) => app.login(emails[round % emails.length]!, 'wrong'),
      () => app.login(newEmail(), 'wrong'),
    );
  });

  test('to ask for a new password', async () => {
    const emails = await accounts(20);
    const ask = (email: string) => app.run('forgotPassword', { email }, 'accepted', { as: null });

    await expectSameTime(
      'forgotPassword',
      ROUNDS,
      (round) => ask(emails[round % emails.length]!),
      () => ask(newEmail()),
    );
  });

  test('to register', async () => {
    const emails = await accounts(20);
    const register = (email: string) => app.run('register', { email, password: PASSWORD, name: 'Mwape' }, 'accepted', { as: null });

    await expectSameTime(
      'register',
      ROUNDS,
      (round) => register(emails[round % emails.length]!),
      () => register(newEmail()),
    );
  });

  test('to sign in with a wrong password where the hash is an old, slow one', async () => {
    await using slow = await openAccounts({ environment: { FAILED_LOGIN_MIN_MS: '250' } });
    const old = await bcryptHash(PASSWORD, { cost: 10 });
    const emails = await Promise.all(
      Array.from({ length: 4 }, async () => {
        const { email, user } = await slow.person();
        await slow.ctx().models.User.updateOne({ _id: user._id }, { passwordHash: old });
        return email;
      }),
    );

    await expectSameTime(
      'login with bcrypt',
      12,
      (round) => slow.login(emails[round % emails.length]!, 'wrong'),
      () => slow.login(newEmail(), 'wrong'),
    );
  });
});
