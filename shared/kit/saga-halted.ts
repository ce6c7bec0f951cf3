import { z } from 'zod';
import { defineEvent } from './define-event.ts';

/** A saga does not go on by itself: STUCK, or PARKED. Published by the subgraph that runs it, with the change of its row. */
export const sagaHalted = defineEvent(
  'Saga.Halted',
  z.object({
    subgraph: z.string(),
    sagaId: z.string(),
    name: z.string(),
    version: z.number().int(),
    key: z.string(),
    step: z.string(),
    state: z.enum(['STUCK', 'PARKED']),
    /** Code of the refusal, or UNKNOWN_STEP. */
    reason: z.string(),
    timestamp: z.iso.datetime(),
  }),
  { key: ({ sagaId }) => sagaId },
);
