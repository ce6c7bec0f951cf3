/** Why an attempt must end. */
export type StopReason = 'CANCELLED' | 'TIMEOUT' | 'LOST' | 'SHUTDOWN' | 'CRASHED';

const MESSAGES: Record<StopReason, string> = {
  CANCELLED: 'The run was cancelled.',
  TIMEOUT: 'The attempt has passed its time limit.',
  LOST: 'The attempt has lost its lease: another process may run it.',
  SHUTDOWN: 'The process stops; the run goes on in another one.',
  CRASHED: 'Each process that ran it has ended.',
};

/** The reason of an attempt's signal. */
export class JobStop extends Error {
  readonly reason: StopReason;
  constructor(reason: StopReason) {
    super(MESSAGES[reason]);
    this.name = 'JobStop';
    this.reason = reason;
  }
}

/** True for the error that `onGivenUp` is given when its run was cancelled. */
export const isCancelled = (error: unknown): boolean => error instanceof JobStop && error.reason === 'CANCELLED';
