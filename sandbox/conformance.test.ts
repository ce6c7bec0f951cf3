import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { globSync } from 'node:fs';
import { join } from 'node:path';
import type { Conformance } from '#shared/providers/conformance.ts';
import { untestedEffects } from '#shared/providers/conformance.ts';
import { checkEffect } from '#shared/testing/effects.ts';
import { openProviderAlone } from '#shared/testing/open-provider.ts';
import { openSandbox, type Sandbox } from './sandbox.ts';

/* Runs the suite of each provider against the sandbox, and the generated test of each call with an effect. */

const ROOT = join(import.meta.dirname, '..');
const FILES = globSync('{shared,subgraphs}/**/*.conformance.ts', { cwd: ROOT }).sort();
const suites = await Promise.all(
  FILES.map(async (name) => {
    const file = join(ROOT, name);
    return { file, ...((await import(file)) as { conformance: Conformance }) };
  }),
);

let sandbox: Sandbox;
beforeAll(async () => {
  sandbox = await openSandbox();
});
afterAll(() => sandbox.close());

describe.each(suites.map((suite) => ({ ...suite, name: suite.conformance.provider.name })))('provider $name', ({ file, conformance }) => {
  const opened = () => openProviderAlone(conformance.provider, { NODE_ENV: 'test', SANDBOX_URL: sandbox.url });
  const cases = [...conformance.cases, ...conformance.sandboxCases];

  test.each(cases)('$title', async ({ run }) => {
    const { made, close } = opened();
    try {
      await run(made, sandbox);
    } finally {
      await close();
    }
  });

  test('has a test of each call with an effect', async () => {
    const { made, close } = opened();
    expect(untestedEffects(made as object | null, conformance)).toEqual([]);
    await close();
  });

  for (const name of Object.keys(conformance.effects)) {
    test(`has the effect of ${name} once, though its answer is lost and its process killed`, async () => {
      expect(await checkEffect(file, conformance, name, sandbox)).toBeDefined();
    }, 60_000);
  }
});
