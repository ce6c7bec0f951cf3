import type { IncomingMessage } from 'node:http';
import { finished, PassThrough, type Readable } from 'node:stream';

export const hasBody = ({ headers }: Pick<IncomingMessage, 'headers'>): boolean =>
  headers['content-length'] !== undefined || headers['transfer-encoding'] !== undefined;

/** The raw body behind a stream that its reader may destroy without breaking the connection; undefined for a request without one. */
export function bodyOf(raw: IncomingMessage): Readable | undefined {
  if (!hasBody(raw)) return undefined;
  const body = new PassThrough();
  finished(raw, (error) => void (error && body.destroy(error)));
  // Its reader hears of it; without one it must not end the process.
  body.on('error', () => undefined);
  return raw.pipe(body);
}
