import { BATCH_HEADER, BATCH_TYPE, readBatchAnswers, writeBatch, type BatchedAnswer } from './batch-format.ts';
import { ResponseTimeout, RequestAborted, type HttpRequest, type HttpClient } from './http-client.ts';

interface Waiting {
  request: HttpRequest;
  /** The first call of the two counts. */
  resolve: (answer: BatchedAnswer) => void;
  reject: (error: Error) => void;
}

/** Together they would be a body that the other side does not take. */
const MAX_BYTES = 1024 * 1024;

/**
 * Requests of one turn of the event loop go as one, however many callers they belong to, once the other side has said that it can read
 * that. What a batch does not bring is asked alone: so only what may be asked twice may go this way. A batch is given up with the last who
 * waits for it.
 */
export function createBatcher(poster: HttpClient, path: string): (request: HttpRequest) => Promise<BatchedAnswer> {
  let most = 1;
  let waiting: Waiting[] = [];

  const alone = async (request: HttpRequest): Promise<BatchedAnswer> => {
    const answer = await poster.post(request);
    most = Number(answer.headers[BATCH_HEADER] ?? 1);
    return answer;
  };
  const sendAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const batch of batchesOf(all.filter(isWanted), most)) {
      const [only] = batch;
      if (batch.length === 1) alone(only!.request).then(only!.resolve, only!.reject);
      else void send(batch);
    }
  };

  async function send(batch: readonly Waiting[]): Promise<void> {
    const open = new Map(batch.entries());
    const disconnected = new AbortController();
    const members = batch.map(({ request, reject }, index) =>
      watch(request, (reason) => {
        take(index);
        reject(reason);
        if (open.size === 0) disconnected.abort();
      }),
    );
    const take = (index: number): Waiting | undefined => {
      const taken = open.get(index);
      open.delete(index);
      if (taken) members[index]!.forget();
      return taken;
    };
    const headers = { ...batch[0]!.request.headers, 'content-type': BATCH_TYPE };
    const body = writeBatch(batch.map(({ request }) => request));
    const timeoutMs = Math.max(...batch.map(({ request }) => request.timeoutMs));
    const onAnswer = (index: number, answer: BatchedAnswer): void => take(index)?.resolve(answer);
    const failure = await poster
      .post({ path, headers, body, timeoutMs, signal: disconnected.signal }, readBatchAnswers(onAnswer))
      .catch((error: Error) => error);
    for (const index of open.keys()) {
      const { request, resolve, reject } = take(index)!;
      if (failure instanceof ResponseTimeout) reject(failure);
      else alone(request).then(resolve, reject);
    }
  }

  return (request) => {
    if (!(most > 1)) return alone(request);
    return new Promise((resolve, reject) => {
      if (waiting.length === 0) setImmediate(sendAll);
      waiting.push({ request, resolve, reject });
    });
  };
}

/** Who has left before it was sent is told so. */
function isWanted({ request: { signal }, reject }: Waiting): boolean {
  if (signal?.aborted) reject(new RequestAborted());
  return !signal?.aborted;
}

/** Gives a member of a batch up when its time is over or nobody waits for it any more. */
function watch({ timeoutMs, signal }: HttpRequest, giveUp: (reason: Error) => void): { forget(): void } {
  const leave = (): void => giveUp(new RequestAborted());
  const timer = setTimeout(() => giveUp(new ResponseTimeout()), timeoutMs);
  signal?.addEventListener('abort', leave);
  return {
    forget() {
      clearTimeout(timer);
      signal?.removeEventListener('abort', leave);
    },
  };
}

function batchesOf(all: readonly Waiting[], most: number): Waiting[][] {
  const batches: Waiting[][] = [];
  let room = 0;
  for (const each of all) {
    const { length } = each.request.body;
    if (batches.length === 0 || batches.at(-1)!.length >= most || length > room) {
      batches.push([]);
      room = MAX_BYTES;
    }
    batches.at(-1)!.push(each);
    room -= length;
  }
  return batches;
}
