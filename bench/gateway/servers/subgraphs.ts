import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { execute, parse, type GraphQLSchema } from 'graphql';
import { BATCH_HEADER, BATCH_TYPE, readBatch, writeBatchAnswer } from '#shared/transport/batch-format.ts';
import { subgraphSchema } from '../graph/schemas.ts';
import { subgraphNames } from '../graph/sdl.ts';

/* All subgraphs, each on its own port. Responses are cached by the bytes of the request, so that subgraphs cost next to nothing. */

interface RequestBody {
  query: string;
  operationName?: string;
  variables?: Record<string, unknown>;
}

/** Batches as Soko's own subgraphs accept them; other gateways send none. */
const BATCH_SIZE = 50;

let calls = 0;

async function serve(schema: GraphQLSchema): Promise<number> {
  const cached = new Map<string, Buffer>();
  const compute = async (body: string): Promise<Buffer> => {
    const { query, operationName, variables: variableValues } = JSON.parse(body) as RequestBody;
    const result = await execute({ schema, document: parse(query), operationName, variableValues });
    const response = Buffer.from(JSON.stringify(result));
    cached.set(body, response);
    return response;
  };
  const respond = async (body: string): Promise<Buffer> => cached.get(body) ?? compute(body);
  const server = createServer((request, response) => {
    calls += 1;
    readBody(request, async (body) => {
      if (request.headers['content-type'] !== BATCH_TYPE)
        return send(response, await respond(body), request.url === '/alone' ? 1 : BATCH_SIZE);
      const bodies = await Promise.all(readBatch(body).map((one) => respond(one.body)));
      const lines = bodies.map((text, index) => writeBatchAnswer(index, { status: 200, text: text.toString() }));
      return send(response, Buffer.from(lines.join('')), BATCH_SIZE);
    });
  });
  server.keepAliveTimeout = 60_000;
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as { port: number }).port;
}

function readBody(request: IncomingMessage, onBody: (body: string) => Promise<void>): void {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => void onBody(Buffer.concat(parts).toString()));
}

function send(response: ServerResponse, body: Buffer, atOnce: number): void {
  response.writeHead(200, { 'content-type': 'application/json', 'content-length': body.length, [BATCH_HEADER]: atOnce });
  response.end(body);
}

const ports = await Promise.all(subgraphNames.map(async (name) => [name, await serve(subgraphSchema(name))] as const));
process.on('message', () => process.send!({ calls }));
process.on('disconnect', () => process.exit(0));
process.send!({ ports: Object.fromEntries(ports) });
