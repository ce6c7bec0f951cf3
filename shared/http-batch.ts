import { BATCH_HEADER, BATCH_TYPE, readBatchAnswers, writeBatch, type BatchedAnswer } from './batch.ts';
import { TooLate, type Post, type Poster } from './http-post.ts';

interface Waiting {
  request: Post;
  /** The first call of the two counts. */
  resolve: (answer: BatchedAnswer) => void;
  reject: (error: Error) => void;
}

/** Together they would be a body that the other side does not take. */
const MOST_BYTES = 1024 * 1024;

/**
 * Requests of one turn of the event loop go as one, however many callers they belong to, once the other side has said that it can read
 * that. What a batch does not bring is asked alone: so only what may be asked twice may go this way.
 */
export function createBatcher(poster: Poster, path: string): (request: Post) => Promise<BatchedAnswer> {
  let most = 1;
  let waiting: Waiting[] = [];

  const alone = async (request: Post): Promise<BatchedAnswer> => {
    const answer = await poster.post(request);
    most = Number(answer.headers[BATCH_HEADER] ?? 1);
    return answer;
  };
  const sendAll = (): void => {
    const all = waiting;
    waiting = [];
    for (const batch of batchesOf(all, most)) {
      const [only] = batch;
      if (batch.length === 1) alone(only!.request).then(only!.resolve, only!.reject);
      else void send(batch);
    }
  };

  async function send(batch: readonly Waiting[]): Promise<void> {
    const open = new Map(batch.entries());
    const timers = batch.map(({ request, reject }) => setTimeout(() => reject(new TooLate()), request.timeoutMs));
    const onAnswer = (index: number, answer: BatchedAnswer): void => {
      clearTimeout(timers[index]);
      open.get(index)?.resolve(answer);
      open.delete(index);
    };
    const headers = { ...batch[0]!.request.headers, 'content-type': BATCH_TYPE };
    const body = writeBatch(batch.map(({ request }) => request));
    const timeoutMs = Math.max(...batch.map(({ request }) => request.timeoutMs));
    const failure = await poster.post({ path, headers, body, timeoutMs }, readBatchAnswers(onAnswer)).catch((error: Error) => error);
    for (const timer of timers) clearTimeout(timer);
    for (const { request, resolve, reject } of open.values()) {
      if (failure instanceof TooLate) reject(failure);
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

function batchesOf(all: readonly Waiting[], most: number): Waiting[][] {
  const batches: Waiting[][] = [];
  let room = 0;
  for (const each of all) {
    const { length } = each.request.body;
    if (batches.length === 0 || batches.at(-1)!.length >= most || length > room) {
      batches.push([]);
      room = MOST_BYTES;
    }
    batches.at(-1)!.push(each);
    room -= length;
  }
  return batches;
}
