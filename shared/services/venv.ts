import { existsSync, globSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { readJson, writeJson } from './files.ts';
import { waitForLock } from './lock.ts';
import { findOnPath, run } from './processes.ts';

/** A private Python environment for servers that come as wheels. Nothing outside its folder is touched. */
export interface Venv {
  /** Its Python interpreter; exists once something was provided. */
  python: string;
  /** Installs the package unless it is there. Packages asked for at about the same time are installed in one step. */
  provide(requirement: string): Promise<{ folder: string } | { refused: string }>;
}

const PYTHONS = ['python3', 'python3.14', 'python3.13', 'python3.12', 'python3.11', 'python3.10', 'python'];
const USABLE = 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 10))';
const GATHERING_MS = 50;

type Verdict = { folder: string } | { refused: string };
type Refusals = Map<string, string>;

export function openVenv(toolsDir: string, env: NodeJS.ProcessEnv, log: (line: string) => void): Venv {
  const home = join(toolsDir, 'venv');
  let open: { wanted: Set<string>; refusals: Promise<Refusals> } | undefined;
  let before: Promise<unknown> = Promise.resolve();

  /** Takes in what is wanted until pip starts, one round after the other. */
  function nextRound() {
    const wanted = new Set<string>();
    const close = () => {
      open = undefined;
      return [...wanted];
    };
    const refusals = before.then(() => delay(GATHERING_MS)).then(() => install(close));
    before = refusals.catch(() => undefined);
    return { wanted, refusals };
  }

  async function install(close: () => string[]): Promise<Refusals> {
    const waiting = (pid: number) => log(`waiting for process ${pid}, which installs into the same folder`);
    const lock = await waitForLock(join(toolsDir, 'venv.lock'), waiting);
    try {
      const refused = await ensureVenv(home, env);
      const missing = close().filter((requirement) => !installed(home).includes(requirement));
      if (refused !== undefined) return new Map(missing.map((requirement) => [requirement, refused]));
      if (missing.length === 0) return new Map();
      log(`installing ${missing.join(' and ')} into a private Python environment (once)`);
      return await pipInstall(home, missing, env);
    } finally {
      close();
      lock.release();
    }
  }

  async function provide(requirement: string): Promise<Verdict> {
    if (!installed(home).includes(requirement)) {
      open ??= nextRound();
      open.wanted.add(requirement);
      const refused = (await open.refusals).get(requirement);
      if (refused !== undefined) return { refused };
    }
    const [folder] = globSync(join(home, 'lib', 'python3*', 'site-packages'));
    return folder === undefined ? { refused: `no site-packages in ${home}` } : { folder };
  }

  return { python: pythonOf(home), provide };
}

const pythonOf = (home: string) => join(home, 'bin', 'python');
/** What was installed to the end. Written last, so an interrupted installation is not taken for one. */
const listOf = (home: string) => join(home, 'installed.json');
/** Nothing, when the Python it was made from is gone. */
const installed = (home: string): string[] => (existsSync(pythonOf(home)) ? (readJson(listOf(home)) ?? []) : []);

async function ensureVenv(home: string, env: NodeJS.ProcessEnv): Promise<string | undefined> {
  if (existsSync(listOf(home)) && existsSync(pythonOf(home))) return undefined;
  const python = await findPython(env);
  if (python === undefined) return 'no Python >= 3.10 with venv on PATH';
  rmSync(home, { recursive: true, force: true });
  const made = await run(python, ['-m', 'venv', home], env);
  if (!made.ok) return `python -m venv failed: ${made.lastWord}`;
  writeJson(listOf(home), []);
  return undefined;
}

async function findPython(env: NodeJS.ProcessEnv): Promise<string | undefined> {
  for (const name of PYTHONS) {
    const file = findOnPath(name, env);
    if (file !== undefined && (await run(file, ['-c', USABLE], env)).ok) return file;
  }
  return undefined;
}

/** All in one go; when that fails, one by one, so that one package that is not to be had does not cost the others. */
async function pipInstall(home: string, wanted: string[], env: NodeJS.ProcessEnv): Promise<Refusals> {
  const options = ['--quiet', '--no-input', '--disable-pip-version-check', '--retries', '2', '--only-binary', ':all:'];
  const outcome = await run(pythonOf(home), ['-m', 'pip', 'install', ...options, ...wanted], env);
  if (outcome.ok) {
    writeJson(listOf(home), [...new Set([...installed(home), ...wanted])]);
    return new Map();
  }
  if (wanted.length === 1) return new Map([[wanted[0] ?? '', `pip: ${outcome.lastWord}`]]);
  const refusals: Refusals = new Map();
  for (const requirement of wanted) {
    for (const [name, reason] of await pipInstall(home, [requirement], env)) refusals.set(name, reason);
  }
  return refusals;
}
