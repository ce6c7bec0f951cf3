import { z } from 'zod';
import { defineProvider } from '#shared/providers/define-provider.ts';

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
  close(): Promise<void>;
}

const TIMEOUT_MS = 10_000;

const UNSENT =
  'SMTP_URL is not set: no mail leaves, and every mail is kept in the database for 7 days with its link, which lets its reader in. Set SMTP_URL.';

/**
 * Sends over SMTP; null when no server is configured, which is said aloud in production (a first start without mails must be possible).
 * The library is loaded with the first mail: it is slow to load.
 */
export const mailer = defineProvider('mailer', {
  settings: z.object({
    NODE_ENV: z.string().default('development'),
    /** `smtp://user:password@host:587`; left out, mails are kept in the database and shown by `npm run mail`. */
    SMTP_URL: z.url({ protocol: /^smtps?$/ }).optional(),
    MAIL_FROM: z.string().default('Soko <no-reply@soko.example>'),
  }),
  sandbox: { SMTP_URL: 'smtp:' },
  open({ settings: { NODE_ENV, SMTP_URL, MAIL_FROM }, log }): Mailer | null {
    if (!SMTP_URL && NODE_ENV === 'production') log.error(UNSENT);
    return SMTP_URL ? createMailer(SMTP_URL, MAIL_FROM) : null;
  },
  close: (opened) => opened?.close(),
});

interface Transport {
  sendMail(mail: object): Promise<unknown>;
  close(): void;
}

function createMailer(url: string, from: string): Mailer {
  let opened: Promise<Transport> | undefined;
  const open = async (): Promise<Transport> => {
    const { createTransport } = await import('nodemailer');
    return createTransport(
      {
        url,
        connectionTimeout: TIMEOUT_MS,
        greetingTimeout: TIMEOUT_MS,
        socketTimeout: TIMEOUT_MS,
        disableFileAccess: true,
        disableUrlAccess: true,
      },
      { from },
    );
  };
  return {
    async send({ to, subject, text, html, id }) {
      const transport = await (opened ??= open());
      await transport.sendMail({ to, subject, text, html, messageId: `<${id}@soko>`, headers: { 'Auto-Submitted': 'auto-generated' } });
    },
    async close() {
      (await opened?.catch(() => undefined))?.close();
    },
  };
}
