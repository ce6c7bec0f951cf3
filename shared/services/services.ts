import { rmSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { toolsFolder } from '../base/data-folder.ts';
import { openEmbedded } from './embedded.ts';
import type { Embedded, Place } from './embedded.ts';
import { tryLock } from './lock.ts';
import type { Lock } from './lock.ts';
import { mongodb } from './mongodb.ts';
import { endProcess } from './processes.ts';
import { readable, untilReachable, withoutPassword } from './provided.ts';
import { redis } from './redis.ts';
import type { Service } from './service.ts';
import { openState } from './state.ts';
import { openVenv } from './venv.ts';

interface ServiceInfo {
  uri: string;
  /** Name and version; 'provided' when somebody else runs it. */
  engine: string;
  provided: boolean;
  /** Changes whenever the service had to be started again. */
  readonly pid?: number | undefined;
  port?: number | undefined;
  dataDir?: string | undefined;
}

export interface Services {
  mongodb: ServiceInfo;
  redis: ServiceInfo;
  /** The service processes this one owns, as they are now. */
  readonly processes: { name: string; pid: number; port: number }[];
  /** Stops what it owns and keeps the data. Calling it again changes nothing. */
  close(): Promise<void>;
}

interface ServicesOptions {
  dataDir: string;
  /** Deletes the data of earlier starts first. */
  fresh?: boolean;
  log?: (line: string) => void;
  env?: NodeJS.ProcessEnv;
  /** What is installed or downloaded to run services is kept here; it outlives the data. */
  toolsDir?: string;
}

/** Another living process has its services on this data folder. */
export class DataDirInUse extends Error {
  constructor(dataDir: string, holder: number) {
    super(`${dataDir} is in use by process ${holder}. Stop that one first, or start this one with another data folder.`);
    this.name = 'DataDirInUse';
  }
}

/**
 * A MongoDB and a Redis that are ready to be used: those that the environment names, or the first that the chains of
 * links come upon (README.md). What was started here is started again when it dies, and if this process is killed,
 * the next one finds it and goes on with it.
 */
export async function openServices({
  dataDir,
  fresh = false,
  log = console.log,
  env = process.env,
  toolsDir = toolsFolder(),
}: ServicesOptions): Promise<Services> {
  const folder = resolve(dataDir);
  // Who starts nothing here takes nothing of the folder: many processes may use the same provided services.
  const lock = env.MONGODB_URI && env.REDIS_URL ? undefined : takeDataDir(folder);
  try {
    const place = {
      dataDir: folder,
      state: openState(folder),
      around: { env, toolsDir, venv: openVenv(toolsDir, env, log), log },
    };
    if (fresh && lock) await clear(place);
    const opened = await openBoth(place);
    return present(opened, async () => {
      await close(opened, place);
      lock?.release();
    });
  } catch (error) {
    lock?.release();
    throw error;
  }
}

function takeDataDir(dataDir: string): Lock {
  const lock = tryLock(join(dataDir, 'services.lock'));
  if ('release' in lock) return lock;
  throw new DataDirInUse(dataDir, lock.holder);
}

async function clear({ dataDir, state }: Place): Promise<void> {
  for (const { name } of [mongodb, redis]) {
    const running = state.get(name)?.running;
    if (running) await endProcess(running, 0);
    rmSync(join(dataDir, name), { recursive: true, force: true });
  }
  state.clear();
}

type Opened = Embedded | { uri: string };
interface Both {
  mongodb: Opened;
  redis: Opened;
}

/** Both at once; when one is not to be had, the other is closed again and one error tells everything. */
async function openBoth(place: Place): Promise<Both> {
  const [first, second] = await Promise.allSettled([openOne(mongodb, place), openOne(redis, place)]);
  if (first.status === 'fulfilled' && second.status === 'fulfilled') return { mongodb: first.value, redis: second.value };
  const reasons: Error[] = [];
  for (const outcome of [first, second]) {
    if (outcome.status === 'rejected') reasons.push(outcome.reason as Error);
    else if ('process' in outcome.value) await outcome.value.process.close();
  }
  throw new Error(reasons.map(({ message }) => message).join('\n'), { cause: reasons[0] });
}

async function openOne(service: Service, place: Place): Promise<Opened> {
  const opened = await openEmbedded(service, place);
  if ('process' in opened) {
    place.around.log(`${service.name}: ${opened.engine} at ${opened.uri}, data in ${readable(opened.folder)}`);
  } else {
    await untilReachable(service.variable, opened.uri);
    place.around.log(`${service.name}: as ${service.variable} says, at ${withoutPassword(opened.uri)}`);
  }
  return opened;
}

async function close({ mongodb: one, redis: other }: Both, { state }: Place): Promise<void> {
  await Promise.all([stop(mongodb, one), stop(redis, other)]);
  async function stop({ name }: Service, opened: Opened) {
    if (!('process' in opened)) return;
    await opened.process.close();
    state.set(name, { port: opened.port });
  }
}

function present(opened: Both, stop: () => Promise<void>): Services {
  let closing: Promise<void> | undefined;
  return {
    mongodb: info(opened.mongodb),
    redis: info(opened.redis),
    get processes() {
      return Object.entries(opened).flatMap(([name, service]: [string, Opened]) =>
        'process' in service ? [{ name, pid: service.process.pid, port: service.port }] : [],
      );
    },
    close: () => (closing ??= stop()),
  };
}

function info(opened: Opened): ServiceInfo {
  if (!('process' in opened)) return { uri: opened.uri, engine: 'provided', provided: true };
  const { uri, engine, port, folder, process } = opened;
  return {
    uri,
    engine,
    provided: false,
    port,
    dataDir: folder,
    get pid() {
      return process.pid;
    },
  };
}
