import type { ExecutionResult } from 'graphql';
import { isProblem } from '#shared/base/errors.ts';
import type { SubgraphRequest, SubgraphTransport } from '#shared/kit/transport.ts';
import { subgraphTimeout, subgraphUnavailable } from '#shared/transport/problem-json.ts';
import { allFieldsMissing, readResponse, type Reporting } from './subgraph-errors.ts';

/** Sends a request to one subgraph. Never rejects; every error is a Problem with the path of its field, or an error to mask. */
export async function executeSubgraphRequest(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  reporting: Reporting,
): Promise<ExecutionResult> {
  if (request.signal?.aborted) return allFieldsMissing(request, subgraphUnavailable(name));
  try {
    return readResponse(name, await within(name, request, requireTransport(transport).execute(request)), { request, reporting });
  } catch (error) {
    return failedRequest(name, request, error, reporting);
  }
}

/** Opens a stream on one subgraph; returns a result when that fails. */
export async function openStream(
  name: string,
  transport: SubgraphTransport | undefined,
  request: SubgraphRequest,
  reporting: Reporting,
): Promise<Events | ExecutionResult> {
  const opening = (async () => requireTransport(transport).subscribe(request))();
  try {
    const response = await within(name, request, opening);
    return isStream(response) ? response : readResponse(name, response, { request, reporting });
  } catch (error) {
    // A stream that opens after the deadline would never be closed otherwise.
    opening.then((late) => (isStream(late) ? late.return?.() : undefined)).catch(() => undefined);
    return failedRequest(name, request, error, reporting);
  }
}

type Events = AsyncIterableIterator<ExecutionResult>;

const isStream = (response: unknown): response is Events =>
  typeof response === 'object' && response !== null && Symbol.asyncIterator in response;

/** A response in which every requested field is missing. */
function failedRequest(name: string, request: SubgraphRequest, error: unknown, { log }: Reporting): ExecutionResult {
  const problem = isProblem(error) ? error : subgraphUnavailable(name, error);
  if (!request.signal?.aborted)
    log.warn({ ...reasonOf(error), subgraph: name, correlationId: request.correlationId }, 'a subgraph did not response');
  return allFieldsMissing(request, problem);
}

/** One line for known problems; a stack trace for bugs only. */
function reasonOf(error: unknown): object {
  if (!isProblem(error)) return { err: error };
  const { message, code } = (error.cause ?? error) as { message?: string; code?: string };
  return { code: error.code, reason: message || code };
}

function requireTransport(transport: SubgraphTransport | undefined): SubgraphTransport {
  if (!transport) throw new Error('this gateway was given no way to reach the subgraph');
  return transport;
}

/** One promise and one timer, since this runs for every fetch. */
const within = <T>(name: string, { deadline, signal }: Pick<SubgraphRequest, 'deadline' | 'signal'>, response: Promise<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    const late = (): void => reject(subgraphTimeout(name));
    const timer = setTimeout(late, Math.max(0, deadline - Date.now()));
    const leave = (): void => {
      clearTimeout(timer);
      reject(new Error('nobody waits for the response any more'));
    };
    signal?.addEventListener('abort', leave);
    const settle = (): void => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    };
    response.then(
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
