import type { ExecutionResult } from 'graphql';
import { isProblem } from '#shared/base/errors.ts';
import type { SubgraphRequest, SubgraphTransport } from '#shared/kit/transport.ts';
import { subgraphTimeout, subgraphUnavailable } from '#shared/transport/problem-json.ts';
import { missing, readAnswer, type Reporting } from './subgraph-errors.ts';

/** Asks one subgraph. Never rejects; every error is a Problem with the field it is about, or left to be masked. */
export async function askSubgraph(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  reporting: Reporting,
): Promise<ExecutionResult> {
  if (request.signal?.aborted) return missing(request, subgraphUnavailable(name));
  try {
    return readAnswer(name, await within(name, request, orMissing(transport).execute(request)), { request, reporting });
  } catch (error) {
    return unreached(name, request, error, reporting);
  }
}

/** Opens a stream on one subgraph, or answers why there is none. */
export async function openStream(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  reporting: Reporting,
): Promise<Events | ExecutionResult> {
  const opening = (async () => orMissing(transport).subscribe(request))();
  try {
    const answer = await within(name, request, opening);
    return isStream(answer) ? answer : readAnswer(name, answer, { request, reporting });
  } catch (error) {
    // A stream that opens after its time would stay open for nobody.
    opening.then((late) => (isStream(late) ? late.return?.() : undefined)).catch(() => undefined);
    return unreached(name, request, error, reporting);
  }
}

type Events = AsyncIterableIterator<ExecutionResult>;

const isStream = (answer: unknown): answer is Events => typeof answer === 'object' && answer !== null && Symbol.asyncIterator in answer;

/** An answer in which each field of the request is missing. */
function unreached(name: string, request: SubgraphRequest, error: unknown, { log }: Reporting): ExecutionResult {
  const problem = isProblem(error) ? error : subgraphUnavailable(name, error);
  if (!request.signal?.aborted)
    log.warn({ ...reasonOf(error), subgraph: name, correlationId: request.correlationId }, 'a subgraph did not answer');
  return missing(request, problem);
}

/** Of what is known to happen one line is enough; where in the code it was seen is for bugs. */
function reasonOf(error: unknown): object {
  if (!isProblem(error)) return { err: error };
  const { message, code } = (error.cause ?? error) as { message?: string; code?: string };
  return { code: error.code, reason: message || code };
}

function orMissing(transport: SubgraphTransport | undefined): SubgraphTransport {
  if (!transport) throw new Error('this gateway was given no way to reach the subgraph');
  return transport;
}

/** One promise and one timer: this is done for every fetch. */
const within = <T>(name: string, { deadline, signal }: Pick<SubgraphRequest, 'deadline' | 'signal'>, answer: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = (): void => reject(subgraphTimeout(name));
    const timer = setTimeout(late, Math.max(0, deadline - Date.now()));
    const leave = (): void => {
      clearTimeout(timer);
      reject(new Error('nobody waits for the answer any more'));
    };
    signal?.addEventListener('abort', leave);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    };
    answer.then(
      (value) => {
        settle();
        resolve(value);
      },
      (error: Error) => {
        settle();
        reject(error);
      },
    );
  });
