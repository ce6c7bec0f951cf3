import { visit, type DocumentNode } from 'graphql';

/*
 * A plan has variables beside those of the client: the representations of an entity fetch, and arguments of @fromContext. Client variables
 * with such names are renamed in plans.
 */

const PREFIX = '_client_';
const OF_PLANS = /^(?:_client_)*(?:representations|contextualArgument_\d+_\d+)$/;

/** The document with the variables used in plans. */
export const withPlanVariables = (document: DocumentNode): DocumentNode =>
  visit(document, {
    Variable: ({ name, ...node }) =>
      OF_PLANS.test(name.value) ? { ...node, name: { ...name, value: `${PREFIX}${name.value}` } } : undefined,
  });

/** The client's name of a variable in plans. */
export const clientVariable = (inPlan: string): string =>
  inPlan.startsWith(PREFIX) && OF_PLANS.test(inPlan) ? inPlan.slice(PREFIX.length) : inPlan;
