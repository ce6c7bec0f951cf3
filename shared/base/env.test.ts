import { describe, expect, jest, test } from '@jest/globals';
import { z } from 'zod';
import { env, parseEnv, readEnv, readLogLevel, warnOfPublicSecret, withFormerNames } from './env.ts';

const SECRET = 'a'.repeat(32);

describe('readEnv', () => {
  test('needs nothing to be set for development', () => {
    expect(readEnv({})).toMatchObject({
      NODE_ENV: 'development',
      REDIS_PREFIX: 'soko',
      DATABASE_PREFIX: '',
      LOG_LEVEL: 'info',
    });
    expect(readEnv({}).INTERNAL_SECRET.length).toBeGreaterThanOrEqual(32);
  });

  test('treats empty text as not set', () => {
    const values = readEnv({ MONGODB_URI: '', PORT: '' });

    expect(values.MONGODB_URI).toMatch(/^mongodb:/);
    expect(values.PORT).toBeUndefined();
  });

  test('reads numbers and keys with written line breaks', () => {
    expect(readEnv({ PORT: '4001', ACCESS_TOKEN_PUBLIC_KEY: String.raw`-----BEGIN\nx` })).toMatchObject({
      PORT: 4001,
      ACCESS_TOKEN_PUBLIC_KEY: '-----BEGIN\nx',
    });
  });

  test('wants a secret of its own in production', () => {
    expect(() => readEnv({ NODE_ENV: 'production' })).toThrow('Environment: INTERNAL_SECRET: must be set in production');
    expect(readEnv({ NODE_ENV: 'production', INTERNAL_SECRET: SECRET }).INTERNAL_SECRET).toBe(SECRET);
  });

  test('takes the secret that everybody can read for no secret in production', () => {
    const { INTERNAL_SECRET } = readEnv({});

    expect(() => readEnv({ NODE_ENV: 'production', INTERNAL_SECRET })).toThrow('INTERNAL_SECRET: must be one of your own in production');
  });

  test('is quiet under test unless lines are asked for', () => {
    expect(readEnv({ NODE_ENV: 'test' }).LOG_LEVEL).toBe('silent');
    expect(readEnv({ NODE_ENV: 'test', LOG_LEVEL: 'debug' }).LOG_LEVEL).toBe('debug');
  });

  test.each([
    ['PORT', '70000'],
    ['PORT', 'x'],
    ['MONGODB_URI', 'postgres://x'],
    ['REDIS_URL', 'localhost'],
    ['INTERNAL_SECRET', 'hunter2'],
    ['LOG_LEVEL', 'loud'],
    ['REDIS_PREFIX', 'a:b'],
  ])('names %s in one line when it is "%s"', (name, value) => {
    expect(() => readEnv({ [name]: value })).toThrow(new RegExp(`^Environment: ${name}: [^\\n]+$`));
  });

  test('says in words what a number and an address must be', () => {
    const shape = z.object({ SIZE: z.coerce.number().int().min(1).max(9), PLACE: z.url() });
    const place = 'PLACE: must be an address such as https://shop.example.org';

    expect(() => parseEnv(shape, { SIZE: 'abc', PLACE: 'here' })).toThrow(`Environment: SIZE: must be a number; ${place}`);
    expect(() => parseEnv(shape, { SIZE: '10', PLACE: 'http://a.example' })).toThrow(/^Environment: SIZE: must be at most 9$/);
  });

  test('leaves a wrong log level to the start of the process: logs are made before it', () => {
    expect(readLogLevel({ LOG_LEVEL: 'loud' })).toBe('info');
    expect(readLogLevel({ NODE_ENV: 'test' })).toBe('silent');
    expect(readLogLevel({ LOG_LEVEL: 'warn' })).toBe('warn');
  });

  test('does not repeat a secret in its message', () => {
    expect(() => readEnv({ INTERNAL_SECRET: 'hunter2' })).not.toThrow(/hunter2/);
  });
});

test.each([
  ['warns in one line of the secret that everybody can read', {}, [expect.stringMatching(/^INTERNAL_SECRET is not set: [^\n]+$/)]],
  ['does not warn of a secret of its own', { INTERNAL_SECRET: SECRET }, []],
])('a part that is started alone %s', (_case, environment, expected) => {
  const lines: string[] = [];

  warnOfPublicSecret({ warn: (line) => void lines.push(line) }, readEnv(environment));

  expect(lines).toEqual(expected);
});

test('parseEnv reads variables of one part of the system', () => {
  const shape = z.object({ SMTP_URL: z.url() });

  expect(parseEnv(shape, { SMTP_URL: 'smtp://localhost:2525', OTHER: 'x' })).toEqual({
    SMTP_URL: 'smtp://localhost:2525',
  });
  expect(() => parseEnv(shape, {})).toThrow(/^Environment: SMTP_URL: /);
});

test('a renamed variable is read under its former name too, the present name wins, and one line warns', () => {
  const lines = jest.spyOn(process.stderr, 'write').mockReturnValue(true);
  const shape = withFormerNames(z.object({ SIZE: z.string() }), { SIZE: 'LENGTH' });

  const sizes = [{ LENGTH: '1' }, { LENGTH: '1', SIZE: '' }, { LENGTH: '1', SIZE: '2' }].map((source) => parseEnv(shape, source).SIZE);
  const warnings = lines.mock.calls.map(([line]) => line);
  lines.mockRestore();

  expect(sizes).toEqual(['1', '1', '2']);
  expect(warnings).toEqual(['Environment: LENGTH is called SIZE now; the former name is still read.\n']);
});

test('env gives the values of the process', () => {
  expect(env.NODE_ENV).toBe('test');
});
