import { relative } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { StartError } from '../base/start-error.ts';
import { accepts } from './ping.ts';

/** Long enough for services that are started together with this process, by docker compose for example. */
const PATIENCE_MS = 30_000;
const DEFAULT_PORTS: { [scheme: string]: number } = { mongodb: 27017, redis: 6379, rediss: 6379 };

/** Waits until one of the addresses takes connections. Addresses that only a driver can resolve are believed. */
export async function untilReachable(variable: string, uri: string, patienceMs = PATIENCE_MS): Promise<void> {
  const addresses = addressesIn(uri);
  if (addresses.length === 0) return;
  const deadline = Date.now() + patienceMs;
  while (Date.now() < deadline) {
    const answers = await Promise.all(addresses.map(({ host, port }) => accepts(host, port)));
    if (answers.includes(true)) return;
    await delay(250);
  }
  throw new StartError(`${variable} is ${withoutPassword(uri)}, but nothing there takes connections.`);
}

/** Read by hand: a MongoDB address may name several hosts, which URL refuses. */
function addressesIn(uri: string): { host: string; port: number }[] {
  const [, scheme = '', hosts = ''] = /^(\w+):\/\/(?:[^@/]*@)?([^/?]+)/.exec(uri) ?? [];
  const usual = DEFAULT_PORTS[scheme];
  if (usual === undefined) return [];
  return hosts.split(',').map((entry) => {
    const [, host = entry, port] = /^\[?(.*?)\]?(?::(\d+))?$/.exec(entry) ?? [];
    return { host, port: port === undefined ? usual : Number(port) };
  });
}

export function withoutPassword(uri: string): string {
  return uri.replace(/:\/\/[^@/]*@/, '://***@');
}

/** A path as a person would type it from here. */
export function readable(path: string): string {
  const short = relative(process.cwd(), path);
  return short.startsWith('..') ? path : short;
}
