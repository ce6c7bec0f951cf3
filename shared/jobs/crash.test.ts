import { expect, test } from '@jest/globals';
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { join } from 'node:path';
import { openJobs } from '../testing/job-process/jobs.ts';
import { until } from '../testing/until.ts';
import { jobRunsOf } from './store.ts';

const CHILD = join(import.meta.dirname, '../testing/job-process/child.ts');

/** Runs a process that kills itself at this moment, on stores of this prefix. */
async function killed(prefix: string, moment: string): Promise<unknown> {
  const child = spawn(process.execPath, [CHILD, prefix, moment], { stdio: ['ignore', 'ignore', 'inherit'] });
  const [, signal] = await once(child, 'exit');
  return signal;
}

test.each([
  ['in the middle of their actions', 'running', { lost: 1, token: 2 }],
  ['after the commit of their cause, before their queue knows of them', 'committed', { lost: 0, token: 1 }],
])(
  'jobs whose process is killed %s run in the next one, each with one effect',
  async (_case, moment, facts) => {
    const prefix = `t${randomBytes(6).toString('hex')}`;
    expect(await killed(prefix, moment)).toBe('SIGKILL');
    const next = await openJobs(prefix, async () => undefined);
    const { db } = next.runtimes.get('boards')!;
    try {
      await until(async () => (await jobRunsOf(db).countDocuments({ state: 'DONE' })) === 3, 40_000);

      const runs = await jobRunsOf(db).find().toArray();
      expect(runs).toEqual(runs.map(() => expect.objectContaining({ state: 'DONE', failures: 0, ...facts })));
      const boards = await db.collection('boards').find().toArray();
      expect(boards).toHaveLength(3);
      expect(new Set(boards.map(({ title }) => title))).toEqual(new Set(['exclusive', 'in-steps', 'in-transaction']));
    } finally {
      await db.dropDatabase();
      await next.close();
    }
  },
  60_000,
);
