import { messages } from '../messages.ts';
import type { Ctx } from '../loaders.ts';
import type { JobAlert } from '../model.ts';

/** A job that fails each minute is one mail an hour. */
const MAIL_PAUSE_MS = 3_600_000;

interface Failed {
  subgraph: string;
  job: string;
  runId: string;
  code: string;
  attempts: number;
  timestamp: string;
}

/** Remembers that a run was given up, and writes to the addresses of ALERT_EMAILS, once an hour for each job. */
export async function recordFailure(ctx: Ctx, { subgraph, job, runId, code, timestamp }: Failed): Promise<void> {
  const _id = `${subgraph} ${job}`;
  const last = { subgraph, job, lastCode: code, lastRunId: runId, lastFailedAt: new Date(timestamp) };
  const alert = await ctx.models.JobAlert.findOneAndUpdate(
    { _id },
    { $set: last, $inc: { count: 1 } },
    { upsert: true, returnDocument: 'after' },
  ).lean<JobAlert>();
  const now = ctx.now();
  if (ctx.providers.alertEmails.length === 0 || (alert!.mailedAt && now.getTime() - alert!.mailedAt.getTime() < MAIL_PAUSE_MS)) return;
  await ctx.models.JobAlert.updateOne({ _id }, { $set: { mailedAt: now } });
  const params = { subgraph, job, code, runId };
  for (const to of ctx.providers.alertEmails) ctx.send(messages['job-failed'], { to, params });
}

const MAX_ALERTS = 100;

export const listAlerts = (ctx: Ctx): Promise<JobAlert[]> =>
  ctx.models.JobAlert.find({}).sort({ lastFailedAt: -1 }).limit(MAX_ALERTS).lean<JobAlert[]>();
