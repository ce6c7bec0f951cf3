import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import type { WatchedSessions } from './live/watched-sessions.ts';
import { isEnded, type IsRevoked } from './plugins/use-revocations.ts';
import type { Session, UseViewer } from './plugins/use-viewer.ts';

interface SessionsOptions {
  viewers: UseViewer;
  isRevoked?: IsRevoked | undefined;
  watched: WatchedSessions;
}

export interface SocketSessions {
  /** True when the socket may go on; otherwise it has been closed with 4403. */
  begin: (socket: WebSocket, connectionParams: Readonly<Record<string, unknown>> | undefined) => Promise<boolean>;
  of: (socket: WebSocket) => Session | undefined;
}

/** Who is on which socket. */
export function keepSessions({ viewers, isRevoked, watched }: SessionsOptions): SocketSessions {
  const sessions = new WeakMap<WebSocket, Session>();

  return {
    async begin(socket, connectionParams) {
      const forbid = (reason: string): void => socket.close(CloseCode.Forbidden, reason);
      const session = await viewers.fromConnectionParams(connectionParams).catch(() => undefined);
      if (!session || (await isEnded(session.viewer, isRevoked))) {
        forbid('UNAUTHENTICATED');
        return false;
      }
      sessions.set(socket, session);
      const leave = watched.watch(session, forbid);
      socket.once('close', () => {
        leave();
        sessions.delete(socket);
      });
      return true;
    },
    of: (socket) => sessions.get(socket),
  };
}
