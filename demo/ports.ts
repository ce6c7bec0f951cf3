import { once } from 'node:events';
import { createServer } from 'node:net';

const MOST = 65_535;

/** A port as somebody wrote it, once it is sure that it can be listened on; `0` gives a free one. Rejects with one line that says what to do. */
export async function takePort(text: string, host = process.env['HOST'] ?? '127.0.0.1'): Promise<number> {
  const wanted = /^\d{1,5}$/.test(text) ? Number(text) : Number.NaN;
  if (!(wanted <= MOST)) throw new Error(`"${text}" is no port: give a number from 0 (any free one) to ${MOST}.`);
  const server = createServer().listen(wanted, host);
  try {
    await once(server, 'listening');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const why = code === 'EADDRINUSE' ? 'is in use by another program' : `cannot be listened on (${code})`;
    throw new Error(`Port ${wanted} ${why}. Stop that one first, or give another: npm start -- --port 0`, { cause: error });
  }
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

export const freePort = (): Promise<number> => takePort('0', '127.0.0.1');
