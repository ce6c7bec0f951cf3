import { IDENTITY_HEADER } from '../base/identity.ts';

/** Goes before the URL of the client. */
export const ROUTES_PATH = '/routes/';
/** The declared path of the route. */
export const ROUTE_HEADER = 'x-route';
/** Set on a response that is the Problem of the subgraph rather than the response of the route. */
export const PROBLEM_HEADER = 'x-problem';

/** Headers of one connection, and those that the processes themselves exchange. */
const OWN_HEADERS = new Set([
  'connection',
  'expect',
  'host',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
  'x-deadline',
  IDENTITY_HEADER,
  ROUTE_HEADER,
  PROBLEM_HEADER,
]);

type Headers = Readonly<Record<string, string | string[] | undefined>>;

/** Headers that are meant for the other end. */
export const endToEnd = (headers: Headers): Record<string, string | string[]> =>
  Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && !OWN_HEADERS.has(name))) as Record<
    string,
    string | string[]
  >;
