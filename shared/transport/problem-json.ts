import { z } from 'zod';
import { Problem } from '../base/errors.ts';

/** A Problem in the response to a command of another process. */
const ProblemJson = z.object({
  code: z.string().regex(/^[A-Z][A-Z0-9_]*$/),
  message: z.string(),
  typename: z.string().optional(),
  extensions: z.record(z.string(), z.unknown()).default({}),
});

export const problemToJson = ({ code, message, typename, extensions }: Problem) => ({ code, message, typename, extensions });

/** The Problem of the handler with its facts; undefined when the value is not one. */
export function problemFromJson(value: unknown): Problem | undefined {
  const parsed = ProblemJson.safeParse(value);
  if (!parsed.success) return undefined;
  const { code, message, typename, extensions } = parsed.data;
  return new Problem(code, message, { ...extensions, ...(typename && { typename }) });
}

/** A subgraph that cannot be reached. Names it, never its address. */
export const subgraphUnavailable = (subgraph: string, cause?: unknown): Problem =>
  new Problem('SUBGRAPH_UNAVAILABLE', `The subgraph ${subgraph} cannot be reached at the moment.`, { retryable: true, subgraph, cause });

/** A subgraph that is there, and does not speak the protocol of streams: it will not tomorrow either. */
export const streamsUnsupported = (subgraph: string, cause?: unknown): Problem =>
  new Problem('SUBSCRIPTION_NOT_SUPPORTED', `The subgraph ${subgraph} does not stream over graphql-ws at its address.`, {
    subgraph,
    cause,
  });

/** A subgraph that can be reached and does not answer in time. */
export const subgraphTimeout = (subgraph: string, cause?: unknown): Problem =>
  new Problem('TIMEOUT', `The subgraph ${subgraph} did not answer in time.`, { retryable: true, subgraph, cause });

/** As `subgraphTimeout`, for a mutation: nobody knows whether it took effect. */
export const changeTimeout = (subgraph: string, cause?: unknown): Problem =>
  new Problem(
    'TIMEOUT',
    `The subgraph ${subgraph} did not answer in time. The change may have been made: look, or send it again with the same idempotencyKey.`,
    { retryable: true, subgraph, cause },
  );

/** A subgraph that answers what GraphQL or its schema does not allow. It would do so again, and what it was asked to change is perhaps done. */
export const subgraphAnswerInvalid = (subgraph: string | undefined, cause?: unknown): Problem => {
  const message = `${subgraph === undefined ? 'A subgraph' : `The subgraph ${subgraph}`} answered with something that does not fit its schema.`;
  return new Problem('SUBGRAPH_ANSWER_INVALID', message, { ...(subgraph !== undefined && { subgraph }), cause });
};

/** A subgraph that does not know an object which another one says is there. Which of them is wrong nobody can tell. */
export const entityUnknown = (subgraph: string): Problem =>
  new Problem('SUBGRAPH_ANSWER_INVALID', `The subgraph ${subgraph} does not know this object, to which another subgraph refers.`, {
    subgraph,
  });
