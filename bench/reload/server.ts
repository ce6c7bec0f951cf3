import { basename } from 'node:path';
import { openGateway } from '../../gateway/gateway.ts';
import { testFeeds } from '../../gateway/live/test-feeds.ts';
import { composeProject, composeSupergraph } from '../../schema/compose.ts';

/*
 * A gateway over Soko's whole supergraph and two small subgraphs in its own process, which are the only ones that answer. Takes orders from the
 * bench that started it: say something in a feed, or go over to the other of two supergraphs.
 */

export type Order = { say: string } | { reload: true };
export type Told = { url: string; wsUrl: string } | { reloadedMs: number };

const { all, say } = testFeeds();
const { schemas } = await composeProject();
const own = [...schemas].map(([file, typeDefs]) => ({ name: basename(file, '.graphql'), url: '', typeDefs }));
const supergraphWith = (field: string): string => {
  const feeds = all.map(({ name, typeDefs }) => ({
    name,
    url: '',
    typeDefs: typeDefs.replace('name: String! }', `name: String! ${field} }`),
  }));
  return composeSupergraph([...own, ...feeds]);
};
const supergraphs = [supergraphWith(''), supergraphWith('nickname: String')];
const transports = Object.fromEntries(all.map((subgraph) => [subgraph.name, subgraph]));

const tell = (told: Told): void => void process.send!(told);
const gateway = await openGateway({
  supergraphSdl: supergraphs[0]!,
  transports,
  accessTokenPublicKey: null,
  port: 0,
  planning: process.argv[2] === 'here' ? 'in-process' : 'worker',
});
process.on('disconnect', () => process.exit());
process.on('message', async (order: Order) => {
  if ('say' in order) return say('f1', order.say);
  supergraphs.reverse();
  const began = performance.now();
  await gateway.reload({ supergraphSdl: supergraphs[0]!, transports });
  tell({ reloadedMs: performance.now() - began });
});
tell({ url: gateway.url, wsUrl: gateway.wsUrl });
