import { parseArgs } from 'node:util';
import closeWithGrace from 'close-with-grace';
import { openSandbox } from './sandbox.ts';

/* `npm run sandbox -- [--port 4100]`: start parts with SANDBOX_URL set to its address. */

const DEFAULT_PORT = 4100;

const { values } = parseArgs({ options: { port: { type: 'string' } } });
const sandbox = await openSandbox({ port: Number(values.port ?? DEFAULT_PORT) });
closeWithGrace({ delay: 2_000 }, () => sandbox.close());
console.log(`export SANDBOX_URL=${sandbox.url}   # what it received: ${sandbox.url}`);
