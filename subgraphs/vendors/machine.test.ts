import { expect, test } from '@jest/globals';
import { actionsFrom, APPLICATION_ACTIONS, APPLICATION_STATUSES, isFinal, nextStatuses, sourcesOf, statusAfter } from './machine.ts';

test('every move is as drawn, and no other is possible', () => {
  const moves = APPLICATION_STATUSES.flatMap((from) =>
    APPLICATION_ACTIONS.flatMap((action) => {
      const to = statusAfter(from, action);
      return to ? [`${from} ${action} ${to}`] : [];
    }),
  );

  expect(moves).toEqual([
    'DRAFT UPDATE DRAFT',
    'DRAFT SUBMIT SUBMITTED',
    'DRAFT WITHDRAW WITHDRAWN',
    'SUBMITTED WITHDRAW WITHDRAWN',
    'SUBMITTED START_REVIEW IN_REVIEW',
    'IN_REVIEW WITHDRAW WITHDRAWN',
    'IN_REVIEW REQUEST_CHANGES CHANGES_REQUESTED',
    'IN_REVIEW APPROVE APPROVED',
    'IN_REVIEW REJECT REJECTED',
    'CHANGES_REQUESTED UPDATE CHANGES_REQUESTED',
    'CHANGES_REQUESTED SUBMIT SUBMITTED',
    'CHANGES_REQUESTED WITHDRAW WITHDRAWN',
  ]);
});

test('each action leads to one status wherever it is possible: updates set it without reading first', () => {
  for (const action of APPLICATION_ACTIONS.filter((each) => each !== 'UPDATE')) {
    expect(new Set(sourcesOf(action).map((from) => statusAfter(from, action))).size).toBe(1);
  }
});

test('what is final goes nowhere', () => {
  for (const status of ['APPROVED', 'REJECTED', 'WITHDRAWN'] as const)
    expect([isFinal(status), actionsFrom(status), nextStatuses(status)]).toEqual([true, [], []]);
});
