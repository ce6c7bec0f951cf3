import { randomUUID } from 'node:crypto';

export const CORRELATION_HEADER = 'x-correlation-id';

const WELL_FORMED = /^[A-Za-z0-9._:-]{8,100}$/;

/** The caller's own id when it can be written into a log as it is, otherwise a new one. */
export const correlationIdFrom = (given: unknown): string => (typeof given === 'string' && WELL_FORMED.test(given) ? given : randomUUID());
