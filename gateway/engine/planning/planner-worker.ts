import { setPriority } from 'node:os';
import { platform } from 'node:process';
import { parentPort } from 'node:worker_threads';
import type { Plannable, Planner } from './planner.ts';
import { planInProcess } from './in-process-planner.ts';

/* The planning thread. It returns one message per task, in order. */

export type Task =
  | { load: string; id: number }
  | { plan: Plannable; id: number }
  | { fingerprint: string; id: number }
  | { forget: number };
/** JSON of what was read or planned, or the reason of the failure. */
export type Done = { text: string } | { reason: string; extensions: Record<string, unknown> | undefined };

const LOWER = 5;

// Requests have priority over planning. On Linux a thread has a priority of its own; elsewhere this would change the whole process.
if (platform === 'linux') setPriority(LOWER);

const planners = new Map<number, Planner>();

parentPort!.on('message', async (task: Task) => {
  if ('forget' in task) return void planners.delete(task.forget);
  parentPort!.postMessage(await perform(task));
});

async function perform(task: Exclude<Task, { forget: number }>): Promise<Done> {
  try {
    if ('fingerprint' in task) return { text: await planners.get(task.id)!.fingerprint(task.fingerprint) };
    if ('plan' in task) return { text: await planners.get(task.id)!.plan(task.plan) };
    const planner = planInProcess(task.load);
    planners.set(task.id, planner);
    return { text: JSON.stringify(planner.reading) };
  } catch (error) {
    const { message, extensions } = error as Error & { extensions?: Record<string, unknown> };
    return { reason: message, extensions: extensions && { ...extensions } };
  }
}
