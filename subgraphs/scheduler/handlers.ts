import { onEvent } from '#shared/kit/define-event.ts';
import { jobFailed } from '#shared/kit/job-events.ts';
import { recordFailure } from './actions/alerts.ts';

export const handlers = [onEvent(jobFailed, recordFailure)];
