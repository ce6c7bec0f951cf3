import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { provideSecrets } from './secrets.ts';

/* `npm run mail [-- ADDRESS]`: the mails that the demo kept instead of sending, newest last. */

const MOST = 20;
const data = process.env['SOKO_DATA'] ?? join(import.meta.dirname, '../.data');
const demoFile = join(data, 'demo.json');
if (!existsSync(demoFile)) {
  console.error('No running marketplace was found. Start one first: npm start');
  process.exit(1);
}
const { services } = JSON.parse(readFileSync(demoFile, 'utf8')) as { services: { mongodb: string; redis: string } };
process.env['MONGODB_URI'] = services.mongodb;
process.env['REDIS_URL'] = services.redis;
process.env['LOG_LEVEL'] ??= 'error';
provideSecrets(join(data, 'secrets.json'));

const { openHost } = await import('../shared/host.ts');
const { subgraph } = await import('../subgraphs/accounts/subgraph.ts');
const { listKeptMails } = await import('../subgraphs/accounts/actions/mail.ts');

const host = await openHost([subgraph], {
  mongodbUri: services.mongodb,
  redisUrl: services.redis,
  background: false,
  consumersOf: () => [],
});
const ctx = host.runtimes.get('accounts')!.context({ issuer: 'mail', viewer: null });
const to = process.argv[2];
const mails = await listKeptMails(ctx as never, to ? { to } : {});
for (const { to: address, subject, text, sentAt } of mails.slice(-MOST)) {
  console.log(`\n${sentAt.toISOString()}  ${address}\n${subject}\n\n${text.trim()}\n${'-'.repeat(72)}`);
}
if (mails.length === 0) console.log('No mail was kept yet.');
await host.close();
