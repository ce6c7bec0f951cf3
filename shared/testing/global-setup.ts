import { resolve } from 'node:path';
import { noteOwnStore } from './drop-databases.ts';
import { DataDirInUse, openServices } from '../services/services.ts';
import type { Services } from '../services/services.ts';

const DATA = resolve(import.meta.dirname, '../../.data/test');
const COMPILED = resolve(import.meta.dirname, '../../.data/compiled');
/** So many test runs can go on in this folder at the same time. */
const RUNS = 20;

declare global {
  /** What global-setup started, for global-teardown to stop. */
  var testServices: Services | undefined;
}

/**
 * Gives every test process MONGODB_URI and REDIS_URL. What is set already is used as it is; what is not is started
 * on an empty data folder.
 */
export default async function globalSetup(): Promise<void> {
  // Ending through exit() takes the services along; the default way of ending on a signal would leave them behind.
  for (const name of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.once(name, () => process.exit(1));
  if (!process.env.MONGODB_URI) noteOwnStore();
  const services = await openInFreeFolder();
  globalThis.testServices = services;
  process.env.MONGODB_URI = services.mongodb.uri;
  process.env.REDIS_URL = services.redis.uri;
  // Tests start many processes of the same code.
  process.env.NODE_COMPILE_CACHE ??= COMPILED;
}

async function openInFreeFolder(): Promise<Services> {
  for (let run = 1; ; run += 1) {
    try {
      return await openServices({ dataDir: run === 1 ? DATA : `${DATA}-${run}`, fresh: true });
    } catch (error) {
      if (!(error instanceof DataDirInUse) || run === RUNS) throw error;
    }
  }
}
