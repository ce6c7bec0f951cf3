import helmet from '@fastify/helmet';
import { fastify } from 'fastify';

/** What every answer has, helmet or not. */
const OF_ANY_ANSWER = ['content-type', 'content-length', 'connection', 'date'];

/** Helmet's headers. They are the same for every answer, so they are asked for once; the plugin puts them together for each. */
export async function helmetHeaders(): Promise<Record<string, string>> {
  const app = fastify();
  // Nothing the API answers is a page, so nothing of it may act as one; the playground brings its own policy.
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] } },
    // What these forbid is done by pages, or by browsers that are long gone.
    originAgentCluster: false,
    xDnsPrefetchControl: false,
    xDownloadOptions: false,
    xPermittedCrossDomainPolicies: false,
    xXssProtection: false,
  });
  app.get('/', async () => '');
  const { headers } = await app.inject('/');
  await app.close();
  return Object.fromEntries(
    Object.entries(headers).flatMap(([name, value]) => (OF_ANY_ANSWER.includes(name) ? [] : [[name, String(value)]])),
  );
}
