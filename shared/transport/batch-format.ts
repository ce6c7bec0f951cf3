/*
 * Several requests to one subgraph as one: each as a line with its headers and a line with its body. Answers come back as lines too, each
 * behind the number of its request, in whatever order they become ready: so the slowest of them keeps nobody waiting.
 */

/** On answers to single requests: how many requests may come at once. */
export const BATCH_HEADER = 'x-request-batch';
export const BATCH_TYPE = 'application/x-ndjson';

export interface BatchedRequest {
  headers: Readonly<Record<string, string>>;
  /** JSON, hence without line ends. */
  body: string;
}

export const writeBatch = (requests: readonly BatchedRequest[]): string =>
  requests.map(({ headers, body }) => `${JSON.stringify(headers)}\n${body}\n`).join('');

/** As it came: neither line has been looked at. */
export interface BatchedText {
  headers: string;
  body: string;
}

export function readBatch(text: string): BatchedText[] {
  const lines = text.split('\n');
  return Array.from({ length: Math.floor(lines.length / 2) }, (_, index) => ({ headers: lines[2 * index]!, body: lines[2 * index + 1]! }));
}

export interface BatchedAnswer {
  status: number;
  text: string;
}

export const writeBatchAnswer = (index: number, { status, text }: BatchedAnswer): string => `${index} ${status} ${text}\n`;

/** Takes the bytes of the answers as they come in. */
export function readBatchAnswers(onAnswer: (index: number, answer: BatchedAnswer) => void): (part: Buffer) => void {
  let begun: Buffer[] = [];
  return (part) => {
    let from = 0;
    for (let end = part.indexOf('\n'); end >= 0; end = part.indexOf('\n', from)) {
      const rest = part.subarray(from, end);
      const line = (begun.length === 0 ? rest : Buffer.concat([...begun, rest])).toString();
      begun = [];
      from = end + 1;
      const [, index, status] = ANSWER.exec(line) ?? [];
      if (index !== undefined) onAnswer(Number(index), { status: Number(status), text: line.slice(index.length + status!.length + 2) });
    }
    if (from < part.length) begun.push(part.subarray(from));
  };
}

/** What follows may be megabytes. */
const ANSWER = /^(\d{1,4}) (\d{3}) /;
