import { createMachine, getNextTransitions, transition } from 'xstate';

export const PRODUCT_STATES = ['DRAFT', 'PUBLISHED', 'ARCHIVED'] as const;
export type ProductState = (typeof PRODUCT_STATES)[number];

/** What a member of the vendor may do with a product, by its state. */
export type ProductAction = 'PUBLISH' | 'UNPUBLISH' | 'ARCHIVE' | 'RESTORE';

/** Publishing what is published already sets other dates. Whether a published product is seen is a matter of its dates and the clock. */
const machine = createMachine({
  id: 'product',
  initial: 'DRAFT',
  states: {
    DRAFT: { on: { PUBLISH: 'PUBLISHED', ARCHIVE: 'ARCHIVED' } },
    PUBLISHED: { on: { PUBLISH: 'PUBLISHED', UNPUBLISH: 'DRAFT', ARCHIVE: 'ARCHIVED' } },
    ARCHIVED: { on: { RESTORE: 'DRAFT' } },
  },
});

const snapshotOf = (state: ProductState) => machine.resolveState({ value: state });

/** What may happen next, in the order of the machine. */
export const actionsFrom = (state: ProductState): ProductAction[] =>
  getNextTransitions(snapshotOf(state)).map(({ eventType }) => eventType as ProductAction);

/** The states an action may start from: they stand in the update's filter. */
export const statesBefore = (action: ProductAction): ProductState[] =>
  PRODUCT_STATES.filter((state) => snapshotOf(state).can({ type: action }));

export const stateAfter = (state: ProductState, action: ProductAction): ProductState =>
  transition(machine, snapshotOf(state), { type: action })[0].value as ProductState;
