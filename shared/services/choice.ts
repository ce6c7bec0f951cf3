import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { readJson, writeJson } from './files.ts';
import type { Venv } from './venv.ts';

/** A server program that is on this machine and can be started. */
export interface Program {
  /** Name and version, for people. */
  engine: string;
  /** Which command line and which address it understands. */
  kind: 'mongod' | 'secantusdb' | 'redis';
  /** The file to run and what must come before any other argument. */
  command: string[];
}

/** What a link of the chain has to offer. */
export type Offer = { uri: string } | Program | { refused: string };

/** What the links look at. */
export interface Surroundings {
  env: NodeJS.ProcessEnv;
  toolsDir: string;
  venv: Venv;
  log: (line: string) => void;
}

/** One way to come by a service. The links of a service are asked in the order of their list; the first that has one wins. */
export interface Link {
  name: string;
  /** Value of SOKO_STORE that allows no other way; only for the stores of MongoDB's protocol. */
  key?: string;
  /** What a person can do so that this link has something to offer. */
  remedy: string;
  find(around: Surroundings): Offer | Promise<Offer>;
}

/** What was chosen stays chosen while its data folder exists: another engine could not read it. */
export interface Choice extends Program {
  link: string;
}

const fileOf = (folder: string) => join(folder, 'choice.json');

export function readChoice(folder: string): Choice | undefined {
  return readJson(fileOf(folder));
}

export function rememberChoice(folder: string, choice: Choice): void {
  writeJson(fileOf(folder), choice);
}

/** The program that was chosen before: at once when it is still in its place, otherwise from the same link again. */
export async function findAgain(links: Link[], choice: Choice, around: Surroundings): Promise<Choice | { refused: string }> {
  if (existsSync(choice.command[0] ?? '')) return choice;
  const link = links.find(({ name }) => name === choice.link);
  const offer = await link?.find(around);
  if (offer && 'command' in offer) return { ...offer, link: choice.link };
  return { refused: offer && 'refused' in offer ? offer.refused : 'this way no longer exists' };
}

/** The links that may be asked: all, or the one that SOKO_STORE names. */
export function allowedLinks(links: Link[], env: NodeJS.ProcessEnv): Link[] {
  const named = env.SOKO_STORE;
  const keys = links.flatMap(({ key }) => key ?? []);
  if (!named || keys.length === 0) return links;
  if (!keys.includes(named)) throw new Error(`SOKO_STORE is ${named}, but must be one of: ${keys.join(', ')}.`);
  return links.filter(({ key }) => key === named);
}

export interface Refusal {
  link: Link;
  reason: string;
}

/** Nothing was found: says every way there is, and why each did not work here. */
export function nothingFound(service: string, refusals: Refusal[]): Error {
  const ways = refusals.map(({ link, reason }) => `  - ${link.remedy}\n    (${link.name}: ${reason})`);
  return new Error([`No ${service} was found. Any one of these provides it:`, ...ways].join('\n'));
}
