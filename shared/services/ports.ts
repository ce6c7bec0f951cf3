import { createServer } from 'node:net';

/**
 * Below the range from which the system takes ports for outgoing connections: there, a client that retries while
 * its server is down can be given the server's own port, connect to itself and keep the server from coming back.
 */
const FIRST = 20_000;
const COUNT = 10_000;

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** The remembered port while it is free, otherwise any free one. */
export async function choosePort(remembered?: number): Promise<number> {
  if (remembered !== undefined && (await isFree(remembered))) return remembered;
  for (;;) {
    const port = FIRST + Math.floor(Math.random() * COUNT);
    if (await isFree(port)) return port;
  }
}
