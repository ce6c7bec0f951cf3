import { equal, rejects } from 'node:assert/strict';
import { randomUUID } from 'node:crypto';
import { defineConformance, type SandboxControl } from '#shared/providers/conformance.ts';
import { mailer, type Mail, type Mailer } from './mailer.ts';

const required = (opened: Mailer | null): Mailer => {
  if (!opened) throw new Error('Set SMTP_URL.');
  return opened;
};

const newMail = (to = process.env['CONFORMANCE_MAIL_TO'] ?? 'nobody@sandbox.example'): Mail => ({
  to,
  subject: 'A test of the mail server',
  text: 'Nothing to do.',
  html: '<p>Nothing to do.</p>',
  id: `evt_${randomUUID()}`,
});

const arrived = (sandbox: SandboxControl, { id }: Mail): number =>
  sandbox.received('mail').filter(({ data }) => (data as { mail: { messageId?: string } }).mail.messageId === `<${id}@soko>`).length;

export const conformance = defineConformance(mailer, {
  cases: [{ title: 'takes a mail', run: async (opened) => required(opened).send(newMail()) }],
  sandboxCases: [
    {
      title: 'is handed a mail once, under our own id',
      async run(opened, sandbox) {
        const mail = newMail();
        await required(opened).send(mail);
        equal(arrived(sandbox, mail), 1);
      },
    },
    {
      title: 'that is busy refuses, and takes the mail later',
      async run(opened, sandbox) {
        const mail = newMail();
        sandbox.fault({ thirdParty: 'mail', kind: '500' });
        await rejects(required(opened).send(mail));
        await required(opened).send(mail);
        equal(arrived(sandbox, mail), 1);
      },
    },
  ],
});
