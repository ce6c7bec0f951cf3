import { createLog, type Log } from '#shared/base/log.ts';
import type { Environment } from './environment.ts';

export interface Mail {
  to: string;
  subject: string;
  text: string;
  html: string;
  /** The same for every attempt, so that a mail that was sent twice can be recognised. */
  id: string;
}

export interface Mailer {
  send(mail: Mail): Promise<void>;
}

const TIMEOUT_MS = 10_000;

const UNSENT =
  'SMTP_URL is not set: no mail leaves, and every mail is kept in the database for 7 days with its link, which lets its reader in. Set SMTP_URL.';

/**
 * Sends over SMTP; null when no server is configured, which is said aloud in production (a first start without mails must be possible).
 * The library is loaded with the first mail: it is slow to load.
 */
export function createMailer(
  { SMTP_URL, MAIL_FROM, NODE_ENV }: Environment,
  log: Pick<Log, 'error'> = createLog('accounts'),
): Mailer | null {
  if (!SMTP_URL && NODE_ENV === 'production') log.error(UNSENT);
  if (!SMTP_URL) return null;
  let opened: Promise<{ sendMail(mail: object): Promise<unknown> }> | undefined;
  const open = async () => {
    const { createTransport } = await import('nodemailer');
    return createTransport(
      {
        url: SMTP_URL,
        connectionTimeout: TIMEOUT_MS,
        greetingTimeout: TIMEOUT_MS,
        socketTimeout: TIMEOUT_MS,
        disableFileAccess: true,
        disableUrlAccess: true,
      },
      { from: MAIL_FROM },
    );
  };
  return {
    async send({ to, subject, text, html, id }) {
      const transport = await (opened ??= open());
      await transport.sendMail({ to, subject, text, html, messageId: `<${id}@soko>`, headers: { 'Auto-Submitted': 'auto-generated' } });
    },
  };
}
