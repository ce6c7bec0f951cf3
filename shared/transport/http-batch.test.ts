import { afterEach, describe, expect, test } from '@jest/globals';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { BATCH_HEADER, BATCH_TYPE, readBatch, writeBatch, writeBatchAnswer } from './batch-format.ts';
import { Problem } from '../base/errors.ts';
import { httpTransport } from './http-transport.ts';
import { IDENTITY_HEADER, signIdentity, type Identity } from '../base/identity.ts';
import { serve } from './server.ts';
import { plainSubgraph } from '../testing/plain-subgraph.ts';
import type { SubgraphRequest } from '../kit/transport.ts';

const as = (id: string): Identity => ({ issuer: 'test', viewer: { id, roles: [], scopes: [] } });
const request = (query: string, more: Partial<SubgraphRequest> = {}): SubgraphRequest => ({
  query,
  identity: as('usr_1'),
  correlationId: 'test-correlation',
  deadline: Date.now() + 10_000,
  ...more,
});

const opened: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of opened.splice(0).toReversed()) await close();
});

/** Real subgraph behind a door that counts what comes in. */
async function notes() {
  const slow = Promise.withResolvers<string>();
  const subgraph = plainSubgraph({
    name: 'notes',
    typeDefs: 'type Query { reader: String  echo(text: String!): String  slow: String  secret: String }  type Mutation { write: Boolean }',
    resolvers: {
      Query: {
        reader: (_root: unknown, _args: unknown, { identity }: SubgraphRequest) => identity.viewer?.id,
        echo: (_root: unknown, { text: said }: { text: string }) => said,
        slow: () => slow.promise,
        secret: () => {
          throw new Problem('FORBIDDEN', 'You may not read this.');
        },
      },
      Mutation: { write: () => true },
    },
  });
  const served = await serve(subgraph, { port: 0 });
  opened.push(() => served.close());
  return { subgraph, slow, ...transportTo(served.url), url: served.url };
}

function transportTo(url: string, options: Parameters<typeof httpTransport>[2] = {}) {
  const transport = httpTransport('notes', url, { resilience: { retry: { attempts: 0 } }, ...options });
  opened.push(() => transport.close());
  return { transport };
}

/** A server that takes batches and does with them as it likes. */
async function rogue(onBatch: (batch: ReturnType<typeof readBatch>, out: ServerResponse, incoming: IncomingMessage) => void) {
  const asked: string[] = [];
  const server = createServer(async (incoming, out) => {
    const body = await text(incoming);
    if (incoming.headers['content-type'] === BATCH_TYPE) {
      const batch = readBatch(body);
      asked.push(`batch of ${batch.length}`);
      onBatch(batch, out, incoming);
    } else {
      asked.push('one');
      out.writeHead(200, { [BATCH_HEADER]: '3' }).end('{"data":{"reader":"alone"}}');
    }
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  opened.push(async () => {
    server.closeAllConnections();
    server.close();
  });
  const { transport } = transportTo(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  await transport.execute(request('{ reader }'));
  asked.length = 0;
  const ask = (count: number, more: Partial<SubgraphRequest> = {}) =>
    Promise.allSettled(Array.from({ length: count }, () => transport.execute(request('{ reader }', more))));
  return { ask, asked, transport };
}

const answered = (reader: string) => ({ status: 'fulfilled', value: { data: { reader } } });
const line = (index: number, reader: string): string => writeBatchAnswer(index, { status: 200, text: `{"data":{"reader":"${reader}"}}` });

describe('requests of one turn', () => {
  test('go as one as soon as the subgraph has said that it reads that, as many at once as it takes', async () => {
    const { ask, asked } = await rogue((batch, out) => out.end(batch.map((_one, index) => line(index, 'together')).join('')));

    const answers = await ask(5);

    expect(answers).toEqual(Array(5).fill(answered('together')));
    expect(asked).toEqual(['batch of 3', 'batch of 2']);
  });

  test('are answered each as the one who asks', async () => {
    const { transport, subgraph } = await notes();
    await transport.execute(request('{ reader }'));

    const answers = await Promise.all(['ann', 'bob', 'cid'].map((id) => transport.execute(request('{ reader }', { identity: as(id) }))));

    expect(answers.map(({ data }) => data?.['reader'])).toEqual(['ann', 'bob', 'cid']);
    expect(subgraph.asked.map(({ correlationId }) => correlationId)).toEqual(Array(4).fill('test-correlation'));
  });

  test('are not kept waiting by the slowest', async () => {
    const { transport, slow } = await notes();
    await transport.execute(request('{ reader }'));
    const late = transport.execute(request('{ slow }'));

    const quick = await transport.execute(request('{ echo(text: "line\\nend") }'));

    expect(quick).toEqual({ data: { echo: 'line\nend' } });
    slow.resolve('at last');
    expect(await late).toEqual({ data: { slow: 'at last' } });
  });

  test('fail each for itself', async () => {
    const { transport } = await notes();
    await transport.execute(request('{ reader }'));

    const [refused, wrong, fine] = await Promise.all([
      transport.execute(request('{ secret }')),
      transport.execute(request('{ secret }', { deadline: Date.now() - 1 })).catch((error: Problem) => error.code),
      transport.execute(request('{ reader }')),
    ]);

    expect(refused).toMatchObject({ data: { secret: null }, errors: [{ extensions: { code: 'FORBIDDEN' } }] });
    expect(wrong).toBe('TIMEOUT');
    expect(fine).toEqual({ data: { reader: 'usr_1' } });
  });

  test('that write go alone', async () => {
    const { asked, transport } = await rogue((_batch, out) => out.end());

    await Promise.all([transport.execute(request('mutation { reader }')), transport.execute(request('mutation { reader }'))]);

    expect(asked).toEqual(['one', 'one']);
  });
});

describe('what a batch does not bring is asked alone', () => {
  test.each<[string, (batch: unknown[], out: ServerResponse) => void]>([
    ['when it is refused as a whole', (_batch, out) => out.writeHead(413).end('{}')],
    ['when it breaks off', (_batch, out) => void out.write(line(0, 'alone'), () => out.destroy())],
    ['when an answer is missing', (_batch, out) => out.end(line(1, 'alone'))],
    ['when it is nonsense', (_batch, out) => out.end('<html>\n</html>\n9999 200 {}\n')],
  ])('%s', async (_case, onBatch) => {
    const { ask } = await rogue(onBatch);

    expect(await ask(2)).toEqual(Array(2).fill(answered('alone')));
  });

  test('but not when its time is over', async () => {
    const { ask, asked } = await rogue(() => undefined);

    const answers = await ask(2, { deadline: Date.now() + 100 });

    expect(answers).toMatchObject(Array(2).fill({ status: 'rejected', reason: { code: 'TIMEOUT' } }));
    expect(asked).toEqual(['batch of 2']);
  });

  test('but not when nobody waits for it any more', async () => {
    const left = new AbortController();
    const { ask, asked } = await rogue((_batch, out) => (left.abort(), out.writeHead(413).end('{}')));

    const answers = await ask(2, { signal: left.signal });

    expect(answers).toMatchObject(Array(2).fill({ status: 'rejected', reason: { code: 'TIMEOUT' } }));
    expect(asked).toEqual(['batch of 2']);
  });
});

describe('who leaves', () => {
  /** Two who ask as one, each with a signal of its own, and what the server sees of it. */
  async function two() {
    const [one, other] = [new AbortController(), new AbortController()];
    const taken = Promise.withResolvers<ServerResponse>();
    const { transport, asked } = await rogue((_batch, out) => taken.resolve(out));
    const answers = [one, other].map(({ signal }) =>
      transport.execute(request('{ reader }', { signal })).catch(({ code }: Problem) => code),
    );
    return { one, other, answers, out: await taken.promise, asked };
  }

  test('is not waited for, and takes nothing from the others', async () => {
    const { one, answers, out, asked } = await two();

    one.abort();

    expect(await answers[0]).toBe('TIMEOUT');
    out.end(line(0, 'gone') + line(1, 'there'));
    expect(await answers[1]).toEqual({ data: { reader: 'there' } });
    expect(asked).toEqual(['batch of 2']);
  });

  test('last takes the batch along', async () => {
    const { one, other, answers, out, asked } = await two();
    const closed = once(out, 'close');

    one.abort();
    other.abort();

    await closed;
    expect(out.writableFinished).toBe(false);
    expect(await Promise.all(answers)).toEqual(['TIMEOUT', 'TIMEOUT']);
    expect(asked).toEqual(['batch of 2']);
  });

  test('last takes the batch along, when the others have their answers', async () => {
    const { other, answers, out } = await two();
    const closed = once(out, 'close');
    out.write(line(0, 'in time'));
    expect(await answers[0]).toEqual({ data: { reader: 'in time' } });

    other.abort();

    await closed;
    expect(await answers[1]).toBe('TIMEOUT');
  });

  test('before anything is sent is not sent', async () => {
    const { ask, asked, transport } = await rogue((batch, out) => out.end(batch.map((_one, index) => line(index, 'together')).join('')));
    const left = new AbortController();
    const gone = transport.execute(request('{ reader }', { signal: left.signal })).catch(({ code }: Problem) => code);
    const others = ask(2);
    // The requests of one turn are gathered by now, and not sent.
    await Promise.resolve();

    left.abort();

    expect(await gone).toBe('TIMEOUT');
    expect(await others).toEqual(Array(2).fill(answered('together')));
    expect(asked).toEqual(['batch of 2']);
  });
});

describe('a subgraph', () => {
  const post = (url: string, body: string, key?: string) =>
    fetch(`${url}/graphql`, {
      method: 'POST',
      headers: { 'content-type': BATCH_TYPE, ...(key !== undefined && { [IDENTITY_HEADER]: key }) },
      body,
    });

  test('reads no batch of a stranger', async () => {
    const { url } = await notes();

    expect((await post(url, 'nonsense')).status).toBe(401);
  });

  test('answers nothing in the name of one whose key is not signed, and the others all the same', async () => {
    const { url } = await notes();
    const key = await signIdentity(as('ann'), 'notes');
    const body = JSON.stringify({ query: '{ reader }' });
    const batch = writeBatch([
      { headers: { [IDENTITY_HEADER]: 'forged' }, body },
      { headers: {}, body },
      { headers: { [IDENTITY_HEADER]: key }, body },
      { headers: { [IDENTITY_HEADER]: key }, body: '[]' },
    ]);

    const lines = (await (await post(url, batch, key)).text()).trim().split('\n').sort();

    expect(lines.map((each) => each.slice(0, 5))).toEqual(['0 401', '1 401', '2 200', '3 400']);
    expect(lines[2]).toBe('2 200 {"data":{"reader":"ann"}}');
  });

  test('does not read more at once than it offers', async () => {
    const { url } = await notes();
    const key = await signIdentity(as('ann'), 'notes');
    const one = { headers: { [IDENTITY_HEADER]: key }, body: JSON.stringify({ query: '{ reader }' }) };

    expect((await post(url, writeBatch(Array(51).fill(one)), key)).status).toBe(413);
  });
});
