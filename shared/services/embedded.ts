import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync, readFileSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { allowedLinks, findAgain, nothingFound, readChoice, rememberChoice } from './choice.ts';
import type { Choice, Refusal, Surroundings } from './choice.ts';
import { choosePort } from './ports.ts';
import { endProcess, isAlive, lastLine } from './processes.ts';
import type { Running } from './processes.ts';
import type { Service } from './service.ts';
import type { State } from './state.ts';
import { supervise } from './supervisor.ts';
import type { Supervised } from './supervisor.ts';

const MAX_LOG_BYTES = 5_000_000;
const ORPHAN_PATIENCE_MS = 5_000;

/** A service whose process belongs to this one. */
export interface Embedded {
  uri: string;
  engine: string;
  port: number;
  folder: string;
  process: Supervised;
}

export interface Place {
  dataDir: string;
  state: State;
  around: Surroundings;
}

/**
 * What the environment names comes before everything else. Otherwise serves what is in the data folder; an empty one
 * is given to the first link of the chain whose program starts.
 */
export async function openEmbedded(service: Service, place: Place): Promise<Embedded | { uri: string }> {
  const named = await service.links[0]?.find(place.around);
  if (named && 'uri' in named) return named;
  const folder = join(place.dataDir, service.name);
  const chosen = readChoice(folder);
  return chosen ? reopen(service, chosen, folder, place) : openFirst(service, folder, place);
}

async function openFirst(service: Service, folder: string, place: Place): Promise<Embedded | { uri: string }> {
  await clearRemains(service, folder, place);
  const refusals: Refusal[] = [];
  for (const link of allowedLinks(service.links, place.around.env)) {
    const offer = await link.find(place.around);
    if ('uri' in offer) return offer;
    const served = 'refused' in offer ? offer : await tryOut(service, { ...offer, link: link.name }, folder, place);
    if (!('refused' in served)) return served;
    refusals.push({ link, reason: served.refused });
  }
  throw nothingFound(service.title, refusals);
}

/** A program may be there and still not run on this machine; then the next link has its turn. */
async function tryOut(service: Service, choice: Choice, folder: string, place: Place): Promise<Embedded | { refused: string }> {
  rememberChoice(folder, choice);
  try {
    return await serve(service, choice, folder, place);
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    return { refused: error instanceof Error ? error.message : String(error) };
  }
}

/** Somebody may have deleted the folder under a process that still runs. Data whose engine is unknown are not touched. */
async function clearRemains(service: Service, folder: string, { state }: Place): Promise<void> {
  if (existsSync(join(folder, 'data')))
    throw new Error(`${service.title}: ${folder} holds data, but not which engine wrote them. Begin anew with --fresh.`);
  const running = state.get(service.name)?.running;
  if (running) await endProcess(running, 0);
}

async function reopen(service: Service, chosen: Choice, folder: string, place: Place): Promise<Embedded> {
  if (!allowedLinks(service.links, place.around.env).some(({ name }) => name === chosen.link))
    throw new Error(`${service.title}: the data in ${folder} were written by ${chosen.engine}, which SOKO_STORE does not allow.`);
  const choice = await findAgain(service.links, chosen, place.around);
  if ('refused' in choice) {
    const wayOut = 'Bring it back, or begin anew with --fresh, which deletes these data.';
    throw new Error(
      `${service.title}: the data in ${folder} were written by ${chosen.engine} (${chosen.link}), which is gone: ${choice.refused}. ${wayOut}`,
    );
  }
  rememberChoice(folder, choice);
  return serve(service, choice, folder, place).catch((error: Error) => {
    throw new Error(`${service.title}: ${choice.engine} on ${folder} ${error.message} (more in ${logOf(folder)})`, { cause: error });
  });
}

/** Uses a process again that an earlier start left behind; starts one otherwise. */
async function serve(service: Service, choice: Choice, folder: string, { state, around }: Place): Promise<Embedded> {
  const before = state.get(service.name);
  const orphan = await usableOrphan(service, choice, before);
  const port = orphan ? orphan.port : await choosePort(before?.port);
  const data = join(folder, 'data');
  mkdirSync(data, { recursive: true });
  const task = {
    name: service.name,
    port,
    spawn: () => spawnServer([...choice.command, ...service.args(choice, data, port)], folder, around.env),
    isReady: () => service.isReady(choice, port),
    onSpawn: (running: Running) => state.set(service.name, { port, running }),
    lastWord: () => lastLine(tailOf(logOf(folder))),
    log: around.log,
  };
  const process = await supervise(task, orphan?.running);
  return { uri: service.uri(choice, port), engine: choice.engine, port, folder: data, process };
}

/** A process that lives but does not answer is ended: it holds the data. */
async function usableOrphan(service: Service, choice: Choice, before: { port: number; running?: Running | undefined } | undefined) {
  const running = before?.running;
  if (!running || !isAlive(running)) return undefined;
  const deadline = Date.now() + ORPHAN_PATIENCE_MS;
  while (Date.now() < deadline && isAlive(running)) {
    if (await service.isReady(choice, before.port)) return { port: before.port, running };
    await delay(100);
  }
  await endProcess(running, ORPHAN_PATIENCE_MS);
  return undefined;
}

const logOf = (folder: string) => join(folder, 'log');

function tailOf(file: string): string {
  try {
    return readFileSync(file, 'utf8').slice(-4_000);
  } catch {
    return '';
  }
}

/** In a process group of its own, so that Ctrl-C in the terminal reaches only the parent, which then stops it in order. */
function spawnServer([file = '', ...args]: string[], folder: string, env: NodeJS.ProcessEnv) {
  const log = logOf(folder);
  const isBig = (statSync(log, { throwIfNoEntry: false })?.size ?? 0) > MAX_LOG_BYTES;
  const output = openSync(log, isBig ? 'w' : 'a');
  try {
    return spawn(file, args, {
      cwd: folder,
      env,
      detached: true,
      stdio: ['ignore', output, output],
    });
  } finally {
    closeSync(output);
  }
}
