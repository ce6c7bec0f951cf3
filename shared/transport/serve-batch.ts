import { PassThrough, type Readable } from 'node:stream';
import { writeBatchAnswer, type BatchedAnswer } from './batch-format.ts';

/** The answers to a batch, each sent when it is ready; those that are ready together are sent together. */
export function answerBatch<T>(requests: readonly T[], answer: (request: T) => Promise<BatchedAnswer>): Readable {
  const answers = new PassThrough();
  let ready = '';
  const send = (): void => {
    answers.write(ready);
    ready = '';
  };
  const each = requests.map(async (request, index) => {
    const line = writeBatchAnswer(index, await answer(request));
    if (ready === '') setImmediate(send);
    ready += line;
  });
  Promise.all(each).then(
    () => setImmediate(() => answers.end()),
    (error: Error) => answers.destroy(error),
  );
  return answers;
}
