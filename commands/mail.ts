import { runStart } from '#shared/base/start-error.ts';
import { withAccounts } from './open-accounts.ts';

/* `npm run mail [-- ADDRESS]`: the newest mails that are kept because no SMTP_URL is set, newest last. */

const MAX_MAILS = 20;

await runStart(() =>
  withAccounts(async (ctx) => {
    const { listKeptMails } = await import('../subgraphs/accounts/actions/mail.ts');
    const to = process.argv[2];
    const mails = await listKeptMails(ctx, to ? { to } : {});
    for (const { to: address, subject, text, sentAt } of mails.slice(-MAX_MAILS)) {
      console.log(`\n${sentAt.toISOString()}  ${address}\n${subject}\n\n${text.trim()}\n${'-'.repeat(72)}`);
    }
    if (mails.length === 0) console.log('No mail is kept.');
  }),
);
