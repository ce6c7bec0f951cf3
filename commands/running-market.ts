import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { dataFolder } from '#shared/base/data-folder.ts';
import { provideSecrets } from '#shared/process/development-secrets.ts';
import { StartError } from '#shared/base/start-error.ts';

/** Points this process to the stores of the market that `npm start` runs here, unless the environment names stores. */
export function useRunningMarket(): void {
  if (process.env['MONGODB_URI']) return;
  const folder = dataFolder();
  const file = join(folder, 'demo.json');
  if (!existsSync(file)) throw new StartError('No running market was found. Start one with npm start, or set MONGODB_URI and REDIS_URL.');
  const { services } = JSON.parse(readFileSync(file, 'utf8')) as { services: { mongodb: string; redis: string } };
  process.env['MONGODB_URI'] = services.mongodb;
  process.env['REDIS_URL'] = services.redis;
  provideSecrets(join(folder, 'secrets.json'));
}
