import { createMachine, getNextTransitions, transition } from 'xstate';

export const APPLICATION_STATUSES = ['DRAFT', 'SUBMITTED', 'IN_REVIEW', 'CHANGES_REQUESTED', 'APPROVED', 'REJECTED', 'WITHDRAWN'] as const;
export type ApplicationStatus = (typeof APPLICATION_STATUSES)[number];

/** UPDATE leaves the status as it is, all others lead to another one. */
export const APPLICATION_ACTIONS = ['UPDATE', 'SUBMIT', 'WITHDRAW', 'START_REVIEW', 'REQUEST_CHANGES', 'APPROVE', 'REJECT'] as const;
export type ApplicationAction = (typeof APPLICATION_ACTIONS)[number];

const ADMIN_ACTIONS: readonly ApplicationAction[] = ['START_REVIEW', 'REQUEST_CHANGES', 'APPROVE', 'REJECT'];

const machine = createMachine({
  id: 'VendorApplication',
  initial: 'DRAFT',
  states: {
    DRAFT: { on: { UPDATE: {}, SUBMIT: 'SUBMITTED', WITHDRAW: 'WITHDRAWN' } },
    SUBMITTED: { on: { START_REVIEW: 'IN_REVIEW', WITHDRAW: 'WITHDRAWN' } },
    IN_REVIEW: { on: { REQUEST_CHANGES: 'CHANGES_REQUESTED', APPROVE: 'APPROVED', REJECT: 'REJECTED', WITHDRAW: 'WITHDRAWN' } },
    CHANGES_REQUESTED: { on: { UPDATE: {}, SUBMIT: 'SUBMITTED', WITHDRAW: 'WITHDRAWN' } },
    APPROVED: { type: 'final' },
    REJECTED: { type: 'final' },
    WITHDRAWN: { type: 'final' },
  },
});

const at = (status: ApplicationStatus) => machine.resolveState({ value: status });

/** What can be done from here, whoever does it, in the order of APPLICATION_ACTIONS. */
export function actionsFrom(status: ApplicationStatus): ApplicationAction[] {
  const possible = new Set(getNextTransitions(at(status)).map(({ eventType }) => eventType));
  return APPLICATION_ACTIONS.filter((action) => possible.has(action));
}

/** Where the action leads from here; undefined when it is not possible. */
export function statusAfter(status: ApplicationStatus, action: ApplicationAction): ApplicationStatus | undefined {
  if (!actionsFrom(status).includes(action)) return undefined;
  const [next] = transition(machine, at(status), { type: action });
  return next.value as ApplicationStatus;
}

/** Where an application can go from here in one step. */
export const nextStatuses = (status: ApplicationStatus): ApplicationStatus[] =>
  APPLICATION_STATUSES.filter((next) => next !== status && actionsFrom(status).some((action) => statusAfter(status, action) === next));

/** From where the action is possible: this stands in the filter of the update that makes the move. */
export const sourcesOf = (action: ApplicationAction): ApplicationStatus[] =>
  APPLICATION_STATUSES.filter((status) => actionsFrom(status).includes(action));

export const isFinal = (status: ApplicationStatus): boolean => actionsFrom(status).length === 0;

export const isAdminAction = (action: ApplicationAction): boolean => ADMIN_ACTIONS.includes(action);
