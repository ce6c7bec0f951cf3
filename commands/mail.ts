import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runStart, StartError } from '#shared/base/start-error.ts';
import { readRoverConfig } from '#shared/process/rover-config.ts';
import { loadSubgraph } from './load-subgraph.ts';
import { withAccounts } from './open-accounts.ts';

/*
 * `npm run mail [-- ADDRESS]`: the newest mails that are kept because no SMTP_URL is set, newest last.
 * `npm run mail -- preview NAME [--locale ny] [--part subject|text|html|sms]`: a template with its sample params; needs no store. HTML by default.
 * `npm run mail -- preview`: the names of all templates with their locales.
 */

const USAGE = 'npm run mail [-- ADDRESS], or npm run mail -- preview [NAME] [--locale LOCALE] [--part subject|text|html|sms]';
const ROOT = join(import.meta.dirname, '..');
const MAX_MAILS = 20;
const SAMPLE_TOKEN = 'token-of-the-preview';

await runStart(async () => {
  const { positionals, values } = readArguments();
  const [first, name] = positionals;
  return first === 'preview' ? preview(name, values) : listMails(first);
});

async function preview(name: string | undefined, { locale, part }: { locale: string; part?: string | undefined }): Promise<void> {
  const { renderMail, renderSms } = await import('#shared/templates/render.ts');
  const { layout } = await import('../subgraphs/accounts/actions/mail.ts');
  const subgraphs = await Promise.all(readRoverConfig(ROOT).map((each) => loadSubgraph(each.name)));
  const templates = subgraphs.flatMap((subgraph) => subgraph.templates);
  if (name === undefined) return templates.forEach((each) => console.log(`${each.name}: ${Object.keys(each.sources).join(', ')}`));
  const found = templates.find((each) => each.name === name);
  if (!found) throw new StartError(`There is no template ${name}. There are: ${templates.map((each) => each.name).join(', ')}.`);
  const options = { params: found.sample, token: SAMPLE_TOKEN, locale, publicUrl: 'http://127.0.0.1:4000' };
  const parts: Record<string, string> = {
    ...(found.channels.includes('EMAIL') && renderMail(found.sources, layout, options)),
    ...(found.channels.includes('SMS') && { sms: renderSms(found.sources, options) }),
  };
  const wanted = part ?? Object.keys(parts).find((each) => each === 'html') ?? 'sms';
  if (!Object.hasOwn(parts, wanted)) throw new StartError(`${name} has no ${wanted}. It has: ${Object.keys(parts).join(', ')}.`);
  console.log(parts[wanted]);
}

function listMails(to: string | undefined): Promise<void> {
  return withAccounts(async (ctx) => {
    const { listKeptMails } = await import('../subgraphs/accounts/actions/mail.ts');
    const mails = await listKeptMails(ctx, to ? { to } : {});
    for (const { to: address, subject, text, sentAt } of mails.slice(-MAX_MAILS)) {
      console.log(`\n${sentAt.toISOString()}  ${address}\n${subject}\n\n${text.trim()}\n${'-'.repeat(72)}`);
    }
    if (mails.length === 0) console.log('No mail is kept.');
  });
}

function readArguments() {
  try {
    const { positionals, values } = parseArgs({
      allowPositionals: true,
      options: { locale: { type: 'string', default: 'en' }, part: { type: 'string' } },
    });
    return { positionals, values };
  } catch (error) {
    throw new StartError(`Usage: ${USAGE}`, { cause: error as Error });
  }
}
