import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { ApolloServer, HeaderMap, type ApolloServerOptions } from '@apollo/server';
import { ApolloServerPluginCacheControlDisabled, ApolloServerPluginInlineTraceDisabled } from '@apollo/server/plugin/disabled';
import { ApolloServerPluginLandingPageDisabled, ApolloServerPluginUsageReportingDisabled } from '@apollo/server/plugin/disabled';

/** Apollo Server on node:http alone, without anything optional: its lowest cost. */
export async function serveApollo(options: Pick<ApolloServerOptions<object>, 'schema' | 'gateway'>, port: number): Promise<void> {
  const apollo = new ApolloServer<object>({
    ...(options as { schema: NonNullable<typeof options.schema> }),
    persistedQueries: false,
    includeStacktraceInErrorResponses: false,
    plugins: [
      ApolloServerPluginCacheControlDisabled(),
      ApolloServerPluginInlineTraceDisabled(),
      ApolloServerPluginLandingPageDisabled(),
      ApolloServerPluginUsageReportingDisabled(),
    ],
  });
  await apollo.start();
  const server = createServer((request, response) => {
    const parts: Buffer[] = [];
    request.on('data', (part: Buffer) => parts.push(part));
    request.on('end', () => void respond(apollo, request, response, JSON.parse(Buffer.concat(parts).toString())));
  });
  server.listen(port, '127.0.0.1');
}

async function respond(apollo: ApolloServer<object>, request: IncomingMessage, response: ServerResponse, body: unknown): Promise<void> {
  const headers = new HeaderMap();
  for (const [name, value] of Object.entries(request.headers)) headers.set(name, String(value));
  const httpGraphQLRequest = { method: request.method!, headers, search: '', body };
  const {
    status = 200,
    headers: answered,
    body: text,
  } = await apollo.executeHTTPGraphQLRequest({ httpGraphQLRequest, context: async () => ({}) });
  if (text.kind !== 'complete') throw new Error('No operation of the bench is answered in parts');
  response.writeHead(status, { ...Object.fromEntries(answered), 'content-length': Buffer.byteLength(text.string) });
  response.end(text.string);
}
