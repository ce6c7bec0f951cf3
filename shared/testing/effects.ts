import { fork, type ChildProcess } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Conformance, SandboxControl } from '../providers/conformance.ts';

const PROGRAM = join(import.meta.dirname, 'effect-process.ts');
const PATIENCE_MS = 20_000;
/** Longer than anybody waits: the process is killed meanwhile. */
const HELD_MS = 120_000;

/**
 * The test that each call with an effect gets: in a process of its own the effect happens, the answer does not come, and the process is killed.
 * Another process makes the same call with the same id. Returns the outcome; throws unless that is found, with one effect in all.
 */
export async function checkEffect(file: string, conformance: Conformance, name: string, sandbox: SandboxControl): Promise<unknown> {
  const effect = conformance.effects[name]!;
  const ownId = `own_${randomUUID()}`;
  const count = (): number => sandbox.received(effect.thirdParty).filter((entry) => effect.isEffect(entry, ownId)).length;
  const start = (): ChildProcess =>
    fork(PROGRAM, [file, name, ownId], { execArgv: [], env: { ...process.env, SANDBOX_URL: sandbox.url, LOG_LEVEL: 'silent' } });

  sandbox.fault({ thirdParty: effect.thirdParty, kind: 'lost-answer', afterMs: HELD_MS, request: effect.request });
  const first = start();
  const ended = once(first, 'exit');
  for (const end = Date.now() + PATIENCE_MS; count() === 0; await delay(20)) {
    if (Date.now() < end && first.exitCode === null) continue;
    first.kill('SIGKILL');
    throw new Error(`${name}: the effect did not happen`);
  }
  first.kill('SIGKILL');
  await ended;

  const second = start();
  const answered = await Promise.race([
    once(second, 'message').then(([message]) => message as { outcome: unknown }),
    once(second, 'exit').then(() => undefined),
  ]);
  second.kill('SIGKILL');
  if (!answered) throw new Error(`${name}: the second process found no outcome`);
  if (count() !== 1) throw new Error(`${name}: there are ${count()} effects, not one`);
  return answered.outcome;
}
