import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import type { AddressInfo } from 'node:net';
import PostalMime, { type Email } from 'postal-mime';
import { SMTPServer } from 'smtp-server';
import { deadLettersOf } from '#shared/messaging/consumer.ts';
import { emailJob } from '../contract.ts';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';
import { createMailer } from '../providers/smtp.ts';
import { environment } from '../providers/environment.ts';
import { listKeptMails, tokenIn } from './mail.ts';

interface Received {
  from: string;
  to: string[];
  mail: Email;
}

/* A real mail server on loopback; it can be told to refuse the next mails. */
const received: Received[] = [];
const waiting: (() => void)[] = [];
let refuse = 0;
const server = new SMTPServer({
  authOptional: true,
  disabledCommands: ['STARTTLS'],
  onAuth: ({ username, password }, _session, callback) =>
    callback(username === 'soko' && password === 'p@ss' ? null : new Error('wrong password'), { user: username }),
  async onData(stream, { envelope }, callback) {
    const chunks: Buffer[] = [];
    for await (const chunk of stream) chunks.push(chunk as Buffer);
    if (refuse > 0) {
      refuse -= 1;
      return callback(Object.assign(new Error('Try again later'), { responseCode: 451 }));
    }
    const from = envelope.mailFrom ? envelope.mailFrom.address : '';
    received.push({ from, to: envelope.rcptTo.map(({ address }) => address), mail: await PostalMime.parse(Buffer.concat(chunks)) });
    callback();
    for (const wake of waiting.splice(0)) wake();
  },
});

/** The mails to an address, once there are so many. */
async function mailsTo(email: string, count = 1): Promise<Received[]> {
  for (;;) {
    const found = received.filter(({ to }) => to.includes(email));
    if (found.length >= count) return found;
    await new Promise<void>((resolve) => void waiting.push(resolve));
  }
}

let app: Accounts;
beforeAll(async () => {
  server.listen(0, '127.0.0.1');
  await once(server.server, 'listening');
  const { port } = server.server.address() as AddressInfo;
  app = await openAccounts({
    environment: {
      SMTP_URL: `smtp://soko:p%40ss@127.0.0.1:${port}`,
      MAIL_FROM: 'Soko <hello@soko.example>',
      PUBLIC_URL: 'https://soko.example',
    },
  });
});
afterAll(async () => {
  await app.close();
  await new Promise<void>((resolve) => {
    server.close(() => resolve());
  });
});
afterEach(() => void (refuse = 0));

const register = (email: string) => app.run('register', { email, password: PASSWORD, name: '<b>Mwape</b>' }, 'accepted', { as: null });

describe('with a mail server', () => {
  test('a mail arrives as text and as HTML, with a link that works, and is not kept', async () => {
    const email = newEmail();
    await register(email);

    const [{ from, to, mail }] = (await mailsTo(email)) as [Received];

    expect({ from, to, subject: mail.subject }).toEqual({
      from: 'hello@soko.example',
      to: [email],
      subject: 'Confirm your e-mail address',
    });
    expect(mail.from).toMatchObject({ name: 'Soko', address: 'hello@soko.example' });
    expect(mail.headers.find(({ key }) => key === 'auto-submitted')?.value).toBe('auto-generated');
    const token = tokenIn({ text: mail.text! })!;
    expect(mail.html).toContain(`<a href="https://soko.example/verify-email?token=${token}">Confirm my address</a>`);
    expect(`${mail.text}${mail.html}`).not.toContain('Mwape');
    expect(await app.run('verifyEmail', { token }, 'verified')).toEqual({ verified: true, userErrors: [] });
    expect(await listKeptMails(app.ctx(), {})).toEqual([]);
  });

  test('a server that is busy gets the mail a little later, once, under the same id', async () => {
    const email = newEmail();
    refuse = 2;
    await register(email);

    const mails = await mailsTo(email);
    await app.settled();

    expect(mails).toHaveLength(1);
    expect(mails[0]!.mail.messageId).toMatch(/^<job_\w+@soko>$/);
  });

  test('words for a store are filled in, and escaped', async () => {
    const email = newEmail();
    const params = {
      storeName: '<script>Clay & Co</script> {role}',
      role: 'staff',
      token: 'abcdefghijklmnopqrstuvwxyz',
      expiresAt: '2026-12-01',
    };
    await app.ctx().transaction(async (ctx) => ctx.enqueue(emailJob({ to: email, template: 'vendor-invitation', params })));

    const [{ mail }] = (await mailsTo(email)) as [Received];

    expect(mail.subject).toBe('You are invited to <script>Clay & Co</script> {role}');
    expect(mail.html).toContain('&lt;script&gt;Clay &amp; Co&lt;/script&gt; {role} on Soko');
    expect(mail.html).not.toContain('<script>');
    expect(mail.text).toContain('https://soko.example/vendor-invitation?token=abcdefghijklmnopqrstuvwxyz');
  });

  test.each([
    [undefined, 'good until 6 December 2026 at 09:34 GMT+2.'],
    ['en-US', 'good until December 6, 2026 at 09:34 AM GMT+2.'],
    ['ja', 'good until 2026年12月6日'],
  ])('a moment is written as its reader writes it (%s), in the time zone of the store', async (locale, words) => {
    const email = newEmail();
    if (locale) await app.run('register', { email, password: PASSWORD, name: 'Chipo', locale }, 'accepted', { as: null });
    const params = { storeName: 'Clay', role: 'staff', expiresAt: '2026-12-06T07:34:12.534Z', timeZone: 'Africa/Lusaka' };
    await app
      .ctx()
      .transaction(async (ctx) => ctx.enqueue(emailJob({ to: email, template: 'vendor-invitation', params, token: 'x'.repeat(43) })));

    const mails = await mailsTo(email, locale ? 2 : 1);

    expect(mails.at(-1)!.mail.text).toContain(words);
    expect(mails.at(-1)!.mail.text).not.toContain('07:34:12');
  });

  test('a second line in a subject is no header', async () => {
    const email = newEmail();
    const params = {
      storeName: 'Clay\r\nBcc: thief@soko.example\r\n\r\nbody',
      role: 'staff',
      token: 'abcdefghijklmnopqrstuvwxyz',
      expiresAt: '',
    };
    await app.ctx().transaction(async (ctx) => ctx.enqueue(emailJob({ to: email, template: 'vendor-invitation', params })));

    const [{ to, mail }] = (await mailsTo(email)) as [Received];

    expect(to).toEqual([email]);
    expect(mail.bcc ?? []).toEqual([]);
    expect(received.flatMap((each) => each.to)).not.toContain('thief@soko.example');
  });

  test.each([['no-such-template'], ['__proto__'], ['constructor'], ['']])(
    'a template called %p is kept as a dead letter',
    async (template) => {
      const before = await deadLettersOf(app.runtime().db).countDocuments();
      await app.ctx().transaction(async (ctx) => ctx.enqueue(emailJob({ to: newEmail(), template, params: {} })));
      await app.settled();

      expect(await deadLettersOf(app.runtime().db).countDocuments({ code: 'INVALID', message: /mail template/ })).toBe(before + 1);
    },
  );
});

describe('without a mail server', () => {
  test('mails are kept, oldest first, with the token to be read', async () => {
    await using kept = await openAccounts();
    const email = newEmail();
    const run = (name: string) => kept.run(name, { email }, 'accepted', { as: null });
    await kept.run('register', { email, password: PASSWORD, name: 'Mwape' }, 'accepted', { as: null });
    await kept.settled();
    await run('forgotPassword');

    const mails = await kept.mails(email);

    expect(mails.map(({ subject }) => subject)).toEqual(['Confirm your e-mail address', 'Choose a new password']);
    expect(tokenIn(mails[1]!)).toMatch(/^[\w-]{43}$/);
    expect(await listKeptMails(kept.ctx(), {})).toEqual(mails);
  });

  test('a mail is kept once when its work is delivered twice', async () => {
    await using kept = await openAccounts();
    const email = newEmail();
    await kept.run('register', { email, password: PASSWORD, name: 'Mwape' }, 'accepted', { as: null });
    await kept.settled();
    const [envelope] = await kept.said('email');

    await kept.runtime().jobs.takeIn({ envelope: envelope!, from: 'accounts' });
    await kept.settled();

    expect(await kept.mails(email)).toHaveLength(1);
  });
});

test.each([
  ['production', undefined, 1],
  ['production', 'smtp://127.0.0.1:25', 0],
  ['development', undefined, 0],
])('%s with the mail server %s says aloud %i times that mails are kept', (NODE_ENV, SMTP_URL, times) => {
  const lines: unknown[] = [];

  createMailer(environment.parse({ NODE_ENV, SMTP_URL }), { error: (line: unknown) => lines.push(line) } as never);

  expect(lines).toEqual(Array(times).fill(expect.stringContaining('SMTP_URL')));
});
