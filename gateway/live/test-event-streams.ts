import { once } from 'node:events';
import { request, type IncomingMessage } from 'node:http';
import type { ExecutionResult } from 'graphql';

export type Headers = Record<string, string>;

/** One message of an operation on the shared stream. */
export interface Message {
  event: string;
  // oxlint-disable-next-line typescript/no-explicit-any -- answers of any operation
  data: { id: string; payload?: ExecutionResult<any> };
}

/** Header of the token. */
export const TOKEN = 'x-graphql-event-stream-token';

/** A client of the single connection mode, one step per call. */
export class EventStreams {
  readonly #url: string;
  readonly #open: (() => void)[] = [];

  constructor(url: string) {
    this.#url = url;
  }

  call(method: string, headers: Headers = {}, { search = '', body }: { search?: string; body?: object } = {}): Promise<Response> {
    return fetch(`${this.#url}${search}`, {
      method,
      headers: { ...headers, ...(body && { 'content-type': 'application/json' }) },
      ...(body && { body: JSON.stringify(body) }),
    });
  }

  /** The headers of further requests. */
  async reserve(headers: Headers = {}): Promise<Headers> {
    return { ...headers, [TOKEN]: await (await this.call('PUT', headers)).text() };
  }

  ask(headers: Headers, operationId: string, query: string, variables: object = {}): Promise<Response> {
    return this.call('POST', headers, { body: { query, variables, extensions: { operationId } } });
  }

  stop(headers: Headers, operationId: string): Promise<Response> {
    return this.call('DELETE', headers, { search: `?operationId=${operationId}` });
  }

  async listen(headers: Headers) {
    const asked = request(this.#url, { agent: false, headers: { ...headers, accept: 'text/event-stream' } });
    asked.end();
    const leave = (): void => void asked.destroy();
    this.#open.push(leave);
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    return { response, leave, messages: messagesOf(response) };
  }

  close(): void {
    for (const leave of this.#open.splice(0)) leave();
  }
}

async function* messagesOf(response: IncomingMessage): AsyncGenerator<Message, undefined, void> {
  let text = '';
  for await (const chunk of response.setEncoding('utf8')) {
    text += String(chunk);
    for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
      const [, event, data] = /^event: (\w+)\ndata: (.*)$/.exec(text.slice(0, end)) ?? [];
      text = text.slice(end + 2);
      if (event) yield { event, data: JSON.parse(data!) as Message['data'] };
    }
  }
  return undefined;
}

export async function take(messages: AsyncGenerator<Message>, count: number): Promise<Message[]> {
  const onSent: Message[] = [];
  while (onSent.length < count) onSent.push((await messages.next()).value as Message);
  return onSent;
}

export const next = (id: string, payload: object): Message => ({ event: 'next', data: { id, payload: payload as ExecutionResult } });
export const complete = (id: string): Message => ({ event: 'complete', data: { id } });
