import { z } from 'zod';
import { defineEvent } from './define-event.ts';

/** A run of a job was given up after all of its attempts and is a dead letter of the subgraph now. Published by every subgraph. */
export const jobFailed = defineEvent(
  'Job.Failed',
  z.object({
    subgraph: z.string(),
    job: z.string(),
    queue: z.string(),
    runId: z.string(),
    deadLetterId: z.string(),
    code: z.string(),
    attempts: z.number().int(),
    timestamp: z.iso.datetime(),
  }),
  { topics: () => ['jobs:failed'] },
);

/** Live topic of one run: its state and progress. */
export const jobTopic = (runId: string): string => `job:${runId}`;
/** Live topic on which the name of a queue appears when it has changed, at most once a second. */
export const QUEUES_TOPIC = 'jobs:queues';
