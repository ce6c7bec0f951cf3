import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { setTimeout as delay } from 'node:timers/promises';
import { sendMessageJob } from '#shared/kit/send-message.ts';
import { deadLettersOf } from '#shared/messaging/consumer.ts';
import { messages as vendorMessages } from '../../vendors/messages.ts';
import { userProfileUpdated } from '../contract.ts';
import { newEmail, openAccounts, PASSWORD, type Accounts } from '../testing.ts';
import type { ReceivedMail } from '../../../sandbox/mail/mail.ts';
import { openSandbox, type Sandbox } from '../../../sandbox/sandbox.ts';
import { mailer } from '../providers/mailer.ts';
import { listKeptMails, tokenIn } from './mail.ts';

/* The sandbox is a real mail server on loopback; it can be told to refuse the next mails. */
let sandbox: Sandbox;
const received = (): ReceivedMail[] => sandbox.received('mail').map(({ data }) => data as ReceivedMail);

/** The mails to an address, once there are so many. */
async function mailsTo(email: string, count = 1): Promise<ReceivedMail[]> {
  for (const end = Date.now() + 20_000; ; await delay(20)) {
    const found = received().filter(({ to }) => to.includes(email));
    if (found.length >= count) return found;
    if (Date.now() > end) throw new Error(`${found.length} mails came to ${email}, not ${count}`);
  }
}

let app: Accounts;
beforeAll(async () => {
  sandbox = await openSandbox();
  app = await openAccounts({
    environment: {
      SMTP_URL: sandbox.url.replace('http://', 'smtp://soko:p%40ss@'),
      MAIL_FROM: 'Soko <hello@soko.example>',
      PUBLIC_URL: 'https://soko.example',
    },
  });
  // The process of another subgraph does so at its start.
  await app.host.templates.register(Object.values(vendorMessages));
});
afterAll(async () => {
  await app.close();
  await sandbox.close();
});

const invitation = vendorMessages['vendor-invitation'];
const params = { storeName: 'Clay', role: 'staff', expiresAt: '2026-12-06T07:34:12.534Z', timeZone: 'Africa/Lusaka' };
const token = 'x'.repeat(43);
const invite = (to: string, changes: Partial<typeof params> = {}) =>
  app.ctx().transaction(async (ctx) => ctx.send(invitation, { to, params: { ...params, ...changes }, token }));

const register = (email: string) => app.run('register', { email, password: PASSWORD, name: '<b>Mwape</b>' }, 'accepted', { as: null });

describe('with a mail server', () => {
  test('a mail arrives as text and as HTML, with a link that works, and is not kept', async () => {
    const email = newEmail();
    await register(email);

    const [{ from, to, mail }] = (await mailsTo(email)) as [ReceivedMail];

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
    sandbox.fault({ thirdParty: 'mail', kind: '500', times: 2 });
    await register(email);

    const mails = await mailsTo(email);
    await app.settled();

    expect(mails).toHaveLength(1);
    expect(mails[0]!.mail.messageId).toMatch(/^<job_\w+@soko>$/);
  });

  test('words for a store are filled in, and escaped', async () => {
    const email = newEmail();
    await invite(email, { storeName: '<script>Clay & Co</script> {{role}}' });

    const [{ mail }] = (await mailsTo(email)) as [ReceivedMail];

    expect(mail.subject).toBe('You are invited to <script>Clay & Co</script> {{role}}');
    expect(mail.html).toContain('&lt;script&gt;Clay &amp; Co&lt;/script&gt; {{role}} on Soko');
    expect(mail.html).not.toContain('<script>');
    expect(mail.text).toContain(`https://soko.example/vendor-invitation?token=${token}`);
  });

  test.each([
    [undefined, 'good until 6 December 2026 at 09:34 GMT+2.'],
    ['en-US', 'good until December 6, 2026 at 09:34 AM GMT+2.'],
    ['ja', 'good until 2026年12月6日'],
  ])('a moment is written as its reader writes it (%s), in the time zone of the store', async (locale, words) => {
    const email = newEmail();
    if (locale) await app.run('register', { email, password: PASSWORD, name: 'Chipo', locale }, 'accepted', { as: null });
    await invite(email);

    const mails = await mailsTo(email, locale ? 2 : 1);

    expect(mails.at(-1)!.mail.text).toContain(words);
    expect(mails.at(-1)!.mail.text).not.toContain('07:34:12');
  });

  test('a second line in a subject is no header', async () => {
    const email = newEmail();
    await invite(email, { storeName: 'Clay\r\nBcc: thief@soko.example\r\n\r\nbody' });

    const [{ to, mail }] = (await mailsTo(email)) as [ReceivedMail];

    expect(to).toEqual([email]);
    expect(mail.subject).toBe('You are invited to Clay Bcc: thief@soko.example body');
    expect(mail.bcc ?? []).toEqual([]);
    expect(received().flatMap((each) => each.to)).not.toContain('thief@soko.example');
  });

  test.each([['no-such-template'], ['__proto__'], ['constructor'], ['']])(
    'a template called %p is kept as a dead letter',
    async (template) => {
      const before = await deadLettersOf(app.runtime().db).countDocuments();
      await app.ctx().transaction(async (ctx) => ctx.enqueue(sendMessageJob({ to: newEmail(), template, params: {} })));
      await app.settled();

      expect(await deadLettersOf(app.runtime().db).countDocuments({ code: 'INVALID', message: /mail template/ })).toBe(before + 1);
    },
  );
});

describe('a message', () => {
  test.each([
    ['a missing param', { storeName: undefined }, token, ['storeName']],
    ['an unknown param', { shop: 'Clay' }, token, ['shop']],
    ['a param of another kind', { expiresAt: 'soon' }, token, ['expiresAt']],
    ['a missing token', {}, undefined, ['token']],
  ])('with %s fails where it is sent, and nothing is kept', async (_case, changes, given, paths) => {
    const email = newEmail();
    const sent = app.ctx().transaction(async (ctx) => {
      ctx.publish(userProfileUpdated({ userId: email, changes: [] }));
      ctx.send(invitation, { to: email, params: { ...params, ...changes } as never, ...(given && { token: given }) });
    });

    await expect(sent).rejects.toMatchObject({ name: 'MessageParamsError', template: 'vendor-invitation', paths });
    expect((await app.said('User.ProfileUpdated')).filter(({ data }) => data.userId === email)).toEqual([]);
  });

  test('to a user goes to the address of now, in the language of the user; one who is gone gets none', async () => {
    const email = newEmail();
    await app.run('register', { email, password: PASSWORD, name: 'Chipo', locale: 'ny-ZM' }, 'accepted', { as: null });
    await mailsTo(email);
    const user = await app.ctx().models.User.findOne({ email }).lean();
    await invite('usr_gone');
    await invite(user!._id);

    const mail = (await mailsTo(email, 2)).at(-1)!.mail;
    await app.settled();

    expect([mail.subject, mail.text!.trim().split('\n')[0]]).toEqual(['Mwaitanidwa ku Clay', 'Moni,']);
    expect(mail.html).toContain('<html lang="ny">');
  });

  test('is written in the texts of the build that sent it', async () => {
    const email = newEmail();
    const newer = { ...invitation, version: 'newer', sources: { en: { subject: 'New', html: '<p>New</p>', text: 'New' } } };
    await app.host.templates.register([newer]);
    await invite(email);

    const [{ mail }] = (await mailsTo(email)) as [ReceivedMail];

    expect(mail.subject).toBe('You are invited to Clay');
  });

  test('of a build without versions is written in the newest texts', async () => {
    const email = newEmail();
    await app.ctx().transaction(async (ctx) => ctx.enqueue(sendMessageJob({ to: email, template: 'mfa-enabled', params: {} })));

    const [{ mail }] = (await mailsTo(email)) as [ReceivedMail];

    expect(mail.subject).toBe('The second step is on');
  });
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
});

test.each([
  ['production', undefined, 1],
  ['production', 'smtp://127.0.0.1:25', 0],
  ['development', undefined, 0],
])('%s with the mail server %s says aloud %i times that mails are kept', (NODE_ENV, SMTP_URL, times) => {
  const lines: unknown[] = [];

  mailer.open({
    settings: mailer.settings.parse({ NODE_ENV, SMTP_URL }),
    log: { error: (line: unknown) => lines.push(line) },
  } as never);

  expect(lines).toEqual(Array(times).fill(expect.stringContaining('SMTP_URL')));
});
