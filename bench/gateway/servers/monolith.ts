import { serveApollo } from '../bare-http.ts';
import { monolithSchema } from '../graph/schemas.ts';

const [port] = process.argv.slice(2);
await serveApollo({ schema: monolithSchema() }, Number(port));
