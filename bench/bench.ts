import { join } from 'node:path';
import { openServices } from '#shared/services/services.ts';

/* `npm run bench -- NAME [options]`: side-by-side measurements. Each ends with one line of JSON: { "bench": NAME, "figures": {...} }. */

const BENCHES = [
  'checkout',
  'events',
  'growth',
  'jobs',
  'lists',
  'overload',
  'start',
  'gateway',
  'peers',
  'live',
  'planning',
  'reload',
] as const;
/** The others keep nothing, or start what they need themselves. */
const WITH_STORES: readonly string[] = ['checkout', 'events', 'growth', 'jobs', 'lists'];

/** `keepsStores`: the stores were given and outlive the bench, so it takes away what it has put there. */
export interface Bench {
  run(args: string[], keepsStores: boolean, store: Store): Promise<Record<string, unknown>>;
}

export interface Store {
  /** Name and version of the engine; 'provided' when the environment names one. */
  engine: string;
  /** Of the store's process, when it was started here. */
  pid?: number | undefined;
}

const [name = '', ...args] = process.argv.slice(2);
if (!BENCHES.includes(name as (typeof BENCHES)[number])) {
  console.error(`Name a bench: ${BENCHES.join(', ')}`);
  process.exit(1);
}

process.env['LOG_LEVEL'] ??= 'error';
if (WITH_STORES.includes(name)) await withStores(measure);
else await measure(false, { engine: 'none' });

async function measure(keepsStores: boolean, store: Store): Promise<void> {
  const { run } = (await import(`./${name}.ts`)) as Bench;
  const figures = await run(args, keepsStores, store);
  console.log(JSON.stringify({ bench: name, figures }));
}

async function withStores(work: typeof measure): Promise<void> {
  const services = await openServices({ dataDir: join(import.meta.dirname, '../.data/bench'), fresh: true });
  process.env['MONGODB_URI'] = services.mongodb.uri;
  process.env['REDIS_URL'] = services.redis.uri;
  try {
    await work(services.mongodb.provided, services.mongodb);
  } finally {
    await services.close();
  }
}
