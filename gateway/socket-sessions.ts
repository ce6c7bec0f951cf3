import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { isEnded, type IsRevoked } from './plugins/use-revocations.ts';
import type { Session, UseViewer } from './plugins/use-viewer.ts';

interface SessionsOptions {
  viewers: UseViewer;
  isRevoked?: IsRevoked | undefined;
  revocationCheckMs: number;
}

export interface SocketSessions {
  /** True when the socket may go on; otherwise it has been closed with 4403. */
  begin: (socket: WebSocket, connectionParams: Readonly<Record<string, unknown>> | undefined) => Promise<boolean>;
  of: (socket: WebSocket) => Session | undefined;
  stop: () => void;
}

/** setTimeout counts in 32 bits. */
const LONGEST_TIMER_MS = 2 ** 31 - 1;

/** Who is on which socket. A socket does not outlive the access token or the session it was opened with. */
export function keepSessions({ viewers, isRevoked, revocationCheckMs }: SessionsOptions): SocketSessions {
  const sessions = new Map<WebSocket, Session>();
  const forbid = (socket: WebSocket, reason: string): void => socket.close(CloseCode.Forbidden, reason);

  const watch = setInterval(() => {
    for (const [socket, { viewer }] of sessions) {
      void isEnded(viewer, isRevoked).then((ended) => ended && forbid(socket, 'The session has ended'));
    }
  }, revocationCheckMs).unref();

  return {
    async begin(socket, connectionParams) {
      const session = await viewers.fromConnectionParams(connectionParams).catch(() => undefined);
      if (!session || (await isEnded(session.viewer, isRevoked))) {
        forbid(socket, 'UNAUTHENTICATED');
        return false;
      }
      sessions.set(socket, session);
      const expiry = at(session.expiresAt, () => forbid(socket, 'The access token has expired'));
      socket.once('close', () => {
        clearTimeout(expiry);
        sessions.delete(socket);
      });
      return true;
    },
    of: (socket) => sessions.get(socket),
    stop: () => clearInterval(watch),
  };
}

function at(time: number, act: () => void): NodeJS.Timeout | undefined {
  const wait = time - Date.now();
  return wait > LONGEST_TIMER_MS ? undefined : setTimeout(act, Math.max(0, wait)).unref();
}
