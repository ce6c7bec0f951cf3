import { visit, type DocumentNode } from 'graphql';

/*
 * A plan has variables of its own beside those of the client: the representations of the entities that a fetch asks for, and what
 * @fromContext gives to arguments. The client's that bear such a name are called otherwise in plans.
 */

const PREFIX = '_client_';
const OF_PLANS = /^(?:_client_)*(?:representations|contextualArgument_\d+_\d+)$/;

/** The document with the variables that plans use. */
export const withPlanVariables = (document: DocumentNode): DocumentNode =>
  visit(document, {
    Variable: ({ name, ...node }) =>
      OF_PLANS.test(name.value) ? { ...node, name: { ...name, value: `${PREFIX}${name.value}` } } : undefined,
  });

/** What the client calls a variable that a plan uses. */
export const clientVariable = (inPlan: string): string =>
  inPlan.startsWith(PREFIX) && OF_PLANS.test(inPlan) ? inPlan.slice(PREFIX.length) : inPlan;
