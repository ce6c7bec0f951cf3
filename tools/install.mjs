/**
 * Makes node_modules hold what package-lock.json names, before `npm start` and `npm test`. Runs before anything is
 * installed and under whatever Node there is (20 or newer), hence plain JavaScript that imports no package.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const ROOT = resolve(process.argv[2] ?? fileURLToPath(new URL('..', import.meta.url)));
const MODULES = join(ROOT, 'node_modules');
/** There from before npm starts until it has ended well, so that a cut-off installation is not taken for a whole one. */
const UNFINISHED = join(MODULES, '.unfinished-install');
const STAMP = 'node_modules/.installed';
const RECORD = 'node_modules/.package-lock.json';
const LOCK = join(MODULES, '.install-lock');
const HEARTBEAT_MS = 1_000;
/** A lock whose holder has given no sign of life for so long belongs to nobody. */
const ABANDONED_MS = 10_000;
const PROGRESS_MS = 10_000;
/** Without a single package after so long, the registry is asked whether it is there. */
const SILENCE_MS = Number(process.env.SOKO_INSTALL_SILENCE_MS || 30_000);
const PING_MS = 10_000;

if (!isComplete()) await installAlone();

/** Nothing to do, when npm's own record of what it installed fits the lock and everything in that record is on the disk. */
function isComplete() {
  if (existsSync(UNFINISHED) || !hasOwnNode()) return false;
  const wanted = read('package-lock.json')?.packages;
  const installed = read(RECORD)?.packages ?? {};
  if (!Object.keys(installed).every((path) => existsSync(join(ROOT, path)))) return false;
  return text(STAMP) === stamp() || (wanted ? fits(wanted, installed) : hasDirectDependencies());
}

/** For an installation that somebody made by hand. Ours leaves a stamp, since npm may have its reasons to leave something out. */
function fits(wanted, installed) {
  return Object.entries(wanted).every(([path, entry]) => {
    if (!path.startsWith('node_modules/') || entry.extraneous || (entry.dev && omitsDev())) return true;
    const found = installed[path];
    if (!found) return entry.optional === true || entry.devOptional === true || entry.peer === true;
    return found.version === entry.version && found.integrity === entry.integrity;
  });
}

/** Of this lock and of what npm made of it: whoever changes either has something to install. */
function stamp() {
  const files = [text('package-lock.json') ?? text('package.json'), text(RECORD)];
  return createHash('sha256').update(JSON.stringify(files)).digest('hex');
}

/** Without a lock the pinned versions in package.json must do. */
function hasDirectDependencies() {
  const { dependencies = {}, devDependencies = {} } = read('package.json') ?? {};
  const wanted = { ...dependencies, ...(omitsDev() ? {} : devDependencies) };
  return Object.entries(wanted).every(([name, range]) => {
    const version = read(`node_modules/${name}/package.json`)?.version;
    return version !== undefined && (version === range || !/^\d+\.\d+\.\d+$/.test(range));
  });
}

/** The scripts need Node 24. Where the machine's own is older, it comes as a package whose install script fetches it. */
function hasOwnNode() {
  if (Number(process.versions.node.split('.')[0]) >= 24) return true;
  return read('package.json')?.devDependencies?.node === undefined || omitsDev() || existsSync(join(MODULES, '.bin', 'node'));
}

function omitsDev() {
  return process.env.NODE_ENV === 'production' || /\bdev\b/.test(process.env.npm_config_omit ?? '');
}

/** Two starts at the same time: one installs, the other waits and finds the work done. */
async function installAlone() {
  try {
    mkdirSync(MODULES, { recursive: true });
    if (!takeLock()) {
      say('waiting for another start that is installing the packages');
      do await delay(200);
      while (!takeLock());
    }
  } catch (error) {
    giveUp(`Packages are missing, and ${MODULES} cannot be written (${error.code}). Run npm install once where the folder can be written.`);
  }
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.once(signal, () => process.exit(1));
  process.once('exit', () => rmSync(LOCK, { force: true }));
  const heartbeat = setInterval(() => utimesSync(LOCK, new Date(), new Date()), HEARTBEAT_MS);
  if (!isComplete()) await install();
  clearInterval(heartbeat);
}

function takeLock() {
  try {
    writeFileSync(LOCK, String(process.pid), { flag: 'wx' });
    return true;
  } catch (error) {
    if (error.code !== 'EEXIST') throw error;
  }
  const touched = statSync(LOCK, { throwIfNoEntry: false })?.mtimeMs ?? Date.now();
  if (Date.now() - touched > ABANDONED_MS) takeAway();
  return false;
}

/** By renaming, since only one of several can succeed in that. */
function takeAway() {
  const aside = `${LOCK}-${process.pid}`;
  try {
    renameSync(LOCK, aside);
    rmSync(aside);
  } catch {
    // Somebody else was quicker.
  }
}

async function install() {
  say('installing what package-lock.json names (about a minute the first time)');
  const since = Date.now();
  writeFileSync(UNFINISHED, '');
  const installing = npm('install', '--no-save', '--no-audit', '--loglevel=error', '--no-fund');
  const watch = watchProgress(installing, since);
  const { code, output } = await installing.ended;
  const unreachable = await watch.stop();
  if (unreachable) giveUp(unreachable);
  if (code !== 0) {
    process.stderr.write(output);
    say(`npm install failed (exit code ${code}); what it said stands above`);
    process.exitCode = 1;
    return;
  }
  writeFileSync(join(ROOT, STAMP), stamp());
  rmSync(UNFINISHED);
  if (!hasOwnNode()) {
    say('npm did not run the install script of the package "node" (is ignore-scripts set?). Allow it, or use Node 24 or newer.');
    process.exitCode = 1;
    return;
  }
  say(`installed in ${Math.round((Date.now() - since) / 1000)} s`);
}

/** Says every ten seconds how far it is. Ends an installation that waits for a registry which cannot be reached. */
function watchProgress(installing, since) {
  const paths = Object.keys(read('package-lock.json')?.packages ?? {}).filter((path) => path !== '');
  const count = () => paths.filter((path) => existsSync(join(ROOT, path, 'package.json'))).length;
  const before = count();
  const seconds = () => Math.round((Date.now() - since) / 1000);
  const progress = setInterval(() => say(`installing: ${count()} of ${paths.length} packages after ${seconds()} s`), PROGRESS_MS);
  let asking = Promise.resolve();
  const silence = setTimeout(() => {
    if (count() === before) asking = registryFault().then((fault) => (fault && installing.end(), fault));
  }, SILENCE_MS);
  return {
    stop() {
      clearInterval(progress);
      clearTimeout(silence);
      return asking;
    },
  };
}

/** Asked by npm itself, which knows the registry and the proxies. Any answer will do; a line says why there is none. */
async function registryFault() {
  const ping = npm('ping', '--fetch-retries=0', `--fetch-timeout=${PING_MS}`);
  const timer = setTimeout(() => ping.end(), PING_MS);
  const { code, output } = await ping.ended;
  clearTimeout(timer);
  if (code === 0 || /\bE[45]\d\d\b/.test(output)) return undefined;
  const reason = /\bcode (E\w+)/.exec(output)?.[1] ?? 'no answer';
  const registry = /https?:\/\/[^\s/]+/.exec(output)?.[0] ?? 'the package registry';
  return `npm install was stopped: ${registry} cannot be reached (${reason}). Check the network, and npm config get registry and proxy.`;
}

function npm(...args) {
  // Started by npm, the same npm is used again; its path is a script for Node.
  const script = process.env.npm_execpath;
  const [file, before] = script?.endsWith('.js') ? [process.execPath, [script]] : ['npm', []];
  const child = spawn(file, [...before, ...args], { cwd: ROOT, stdio: ['ignore', 'pipe', 'pipe'], shell: process.platform === 'win32' });
  const ended = new Promise((done) => {
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.on('data', (text) => (output += text));
    child.on('error', (error) => done({ code: 1, output: `${error.message}\n` }));
    child.on('close', (code) => done({ code, output }));
  });
  return { ended, end: () => child.kill('SIGKILL') };
}

function read(path) {
  try {
    return JSON.parse(text(path) ?? '');
  } catch {
    return undefined;
  }
}

function text(path) {
  try {
    return readFileSync(join(ROOT, path), 'utf8');
  } catch {
    return undefined;
  }
}

function giveUp(line) {
  process.stderr.write(`${line}\n`);
  process.exit(1);
}

function say(line) {
  process.stdout.write(`${line}\n`);
}
