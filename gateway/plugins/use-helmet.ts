import helmet from '@fastify/helmet';
import { fastify } from 'fastify';

/** Headers of every response, also without helmet. */
const OF_ANY_ANSWER = ['content-type', 'content-length', 'connection', 'date'];

/** Helmet's headers. They never change, so they are read once instead of computed per response. */
export async function helmetHeaders(): Promise<Record<string, string>> {
  const app = fastify();
  // No API response is a page, so none may act as one. The playground has its own policy.
  await app.register(helmet, {
    contentSecurityPolicy: { useDefaults: false, directives: { 'default-src': ["'none'"], 'frame-ancestors': ["'none'"] } },
    // These concern pages, or browsers of the past.
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
