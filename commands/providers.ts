import { globSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { runStart, StartError } from '#shared/base/start-error.ts';
import type { Conformance, ConformanceCase } from '#shared/providers/conformance.ts';
import { checkEffect } from '#shared/testing/effects.ts';
import { openProviderAlone } from '#shared/testing/open-provider.ts';
import { openSandbox } from '../sandbox/sandbox.ts';

/*
 * `npm run providers -- NAME`: the conformance suite of a provider against the sandbox. With --live against the real third party, which the
 * environment names with its keys; what only the sandbox can do is left out then.
 */

const ROOT = join(import.meta.dirname, '..');
const USAGE = 'npm run providers -- NAME [--live]';

interface Suite {
  file: string;
  conformance: Conformance;
}

await runStart(async () => {
  const { name, live } = readOptions();
  const suites = await loadSuites();
  const suite = suites.find(({ conformance }) => conformance.provider.name === name);
  if (!suite) {
    const known = suites.map(({ conformance }) => conformance.provider.name).sort();
    throw new StartError(`Name a provider: ${known.join(', ')}. Usage: ${USAGE}`);
  }
  process.env['LOG_LEVEL'] ||= 'silent';
  const failed = live ? await runLive(suite) : await runAtSandbox(suite);
  process.exitCode = failed === 0 ? 0 : 1;
});

function runLive({ conformance }: Suite): Promise<number> {
  const { SANDBOX_URL: _sandbox, ...environment } = process.env;
  return runCases(conformance.cases, (run) => withProvider(conformance, environment, run));
}

async function runAtSandbox({ file, conformance }: Suite): Promise<number> {
  const sandbox = await openSandbox();
  const environment = { NODE_ENV: 'test', SANDBOX_URL: sandbox.url };
  const sandboxCases = conformance.sandboxCases.map(({ title, run }) => ({ title, run: (made: unknown) => run(made, sandbox) }));
  const effects = Object.keys(conformance.effects).map((name) => ({
    title: `has the effect of ${name} once, though its answer is lost and its process killed`,
    run: async () => void (await checkEffect(file, conformance, name, sandbox)),
  }));
  try {
    const all = [...conformance.cases, ...sandboxCases, ...effects];
    return await runCases(all, (run) => withProvider(conformance, environment, run));
  } finally {
    await sandbox.close();
  }
}

async function withProvider(
  { provider }: Conformance,
  environment: Record<string, string | undefined>,
  run: (made: unknown) => Promise<void>,
): Promise<void> {
  const { made, close } = openProviderAlone(provider, environment);
  try {
    await run(made);
  } finally {
    await close();
  }
}

/** Says one line for each case; returns how many failed. */
async function runCases(
  cases: readonly ConformanceCase<any>[],
  attempt: (run: ConformanceCase<any>['run']) => Promise<void>,
): Promise<number> {
  let failed = 0;
  for (const { title, run } of cases) {
    const error = await attempt(run).then(
      () => undefined,
      (reason: Error) => reason,
    );
    if (error) failed += 1;
    console.log(error ? `FAILED  ${title}\n        ${error.message.split('\n', 1)[0]}` : `passed  ${title}`);
  }
  return failed;
}

async function loadSuites(): Promise<Suite[]> {
  const names = globSync('{shared,subgraphs}/**/*.conformance.ts', { cwd: ROOT });
  return Promise.all(
    names.map(async (name) => {
      const file = join(ROOT, name);
      return { file, conformance: ((await import(file)) as { conformance: Conformance }).conformance };
    }),
  );
}

function readOptions(): { name: string | undefined; live: boolean } {
  try {
    const { values, positionals } = parseArgs({ allowPositionals: true, options: { live: { type: 'boolean', default: false } } });
    return { name: positionals[0], live: values.live };
  } catch {
    throw new StartError(`Usage: ${USAGE}`);
  }
}
