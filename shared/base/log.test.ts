import { Writable } from 'node:stream';
import { describe, expect, jest, test } from '@jest/globals';
import { createLog } from './log.ts';

function open(level = 'info') {
  const lines: Record<string, unknown>[] = [];
  const stream = new Writable({
    write(chunk, _encoding, done) {
      lines.push(JSON.parse(String(chunk)) as Record<string, unknown>);
      done();
    },
  });
  return { log: createLog('notes', { level, stream }), lines };
}

describe('createLog', () => {
  test('writes one line of JSON with the correlation id of its child', () => {
    const { log, lines } = open();

    log.child({ correlationId: 'c-1' }).info({ noteId: 'nte_1' }, 'note written');

    expect(lines).toEqual([
      expect.objectContaining({
        name: 'notes',
        level: 'info',
        correlationId: 'c-1',
        noteId: 'nte_1',
        msg: 'note written',
      }),
    ]);
  });

  test.each([
    ['password', { password: 's3cret' }],
    [
      'header',
      {
        headers: {
          Authorization: 'Bearer s3cret',
          'x-internal-key': 's3cret',
          'Set-Cookie': 's3cret',
        },
      },
    ],
    [
      'nested input in a list',
      {
        variables: {
          input: [{ newPassword: 's3cret', refreshToken: 's3cret', refresh_token: 's3cret' }],
        },
      },
    ],
    ['pin and phone', { pin: 's3cret', owner: { phone: 's3cret', phoneNumber: 's3cret', email: 's3cret' } }],
  ])('hides a %s', (_case, facts) => {
    const { log, lines } = open();

    log.info(facts, 'asked');
    log.child(facts).info('asked');

    expect(lines).toHaveLength(2);
    expect(JSON.stringify(lines)).not.toContain('s3cret');
    expect(JSON.stringify(lines[0])).toContain('[hidden]');
    expect(JSON.stringify(lines[1])).toContain('[hidden]');
  });

  test('hides secrets that hang on an error, and keeps its message, code and cause', () => {
    const { log, lines } = open();
    const cause = new Error('socket closed');
    const error = Object.assign(new Error('not sent', { cause }), {
      code: 'ESEND',
      config: { headers: { authorization: 's3cret' } },
    });

    log.error({ err: error }, 'failed');

    expect(lines[0]?.['err']).toMatchObject({
      message: expect.stringContaining('not sent'),
      code: 'ESEND',
      stack: expect.stringContaining('socket closed'),
    });
    expect(JSON.stringify(lines)).not.toContain('s3cret');
  });

  test('shows what only looks like a secret', () => {
    const { log, lines } = open();

    log.info({ code: 'INVALID', spin: 1, mapping: 2, tokenCount: 3 }, 'seen');

    expect(lines[0]).toMatchObject({ code: 'INVALID', spin: 1, mapping: 2, tokenCount: 3 });
  });

  test('survives an object that holds itself', () => {
    const { log, lines } = open();
    const loop: Record<string, unknown> = {};
    loop['self'] = loop;

    log.info({ loop }, 'seen');

    expect(lines).toHaveLength(1);
  });

  test('is silent under test when no level is set', () => {
    expect(createLog('notes').level).toBe('silent');
  });
});

describe('warnings', () => {
  test('that are equal are written once a second, with their number, whatever request they are about', async () => {
    jest.useFakeTimers();
    const { log, lines } = open();
    const warn = (reason: string, times: number) => {
      for (let i = 0; i < times; i += 1) log.child({ correlationId: `c-${i}` }).warn({ subgraph: 'notes', reason }, 'no answer');
    };

    warn('closed', 1_000);
    warn('refused', 1);
    await jest.advanceTimersByTimeAsync(1_000);
    warn('closed', 2);
    await jest.advanceTimersByTimeAsync(10_000);
    warn('closed', 1);
    jest.useRealTimers();

    expect(lines.map(({ reason, repeated }) => [reason, repeated])).toEqual([
      ['closed', undefined],
      ['refused', undefined],
      ['closed', 999],
      ['closed', 2],
      ['closed', undefined],
    ]);
  });

  test('are the only lines that are left out', () => {
    const { log, lines } = open();

    for (let i = 0; i < 3; i += 1) log.error({ err: new Error('the same') }, 'unexpected error');

    expect(lines).toHaveLength(3);
  });
});
