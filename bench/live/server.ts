import { createServer } from 'node:http';
import { openGateway } from '../../gateway/gateway.ts';
import { composeSupergraph } from '../../schema/compose.ts';
import { createLiveGraph } from './graph.ts';

/* The whole gateway with its subgraphs in one process, and a second port by which the bench looks at it and makes things happen. */

const [port, controlPort] = process.argv.slice(2).map(Number);
const { subgraphs, transports, publish } = createLiveGraph();
await openGateway({ supergraphSdl: composeSupergraph(subgraphs), transports, accessTokenPublicKey: null, port: port!, production: true });

/** Epoch milliseconds, finer than Date knows them. */
const now = (): number => performance.timeOrigin + performance.now();

createServer(({ url }, response) => {
  const { pathname, searchParams } = new URL(url!, 'http://control');
  if (pathname === '/publish') {
    const topics = Number(searchParams.get('topics'));
    for (let topic = 0; topic < topics; topic += 1) publish(`o${topic}`, String(now()));
  } else {
    globalThis.gc?.();
  }
  const { user, system } = process.cpuUsage();
  response.end(JSON.stringify({ rssKib: process.memoryUsage().rss / 1_024, cpuMicros: user + system }));
}).listen(controlPort, '127.0.0.1');
