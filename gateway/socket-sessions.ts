import type { IncomingMessage } from 'node:http';
import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { isProblem } from '../shared/errors.ts';
import type { SocketExtra } from '../shared/sockets.ts';
import type { WatchedSessions } from './live/watched-sessions.ts';
import type { Access, UseKeys } from './plugins/use-keys.ts';
import { isEnded, type IsRevoked } from './plugins/use-revocations.ts';
import type { Session, UseViewer } from './plugins/use-viewer.ts';

interface SessionsOptions {
  viewers: UseViewer;
  accessOf: UseKeys;
  isRevoked?: IsRevoked | undefined;
  watched: WatchedSessions;
}

type Params = Readonly<Record<string, unknown>>;

interface SocketSession extends Session {
  access: Access;
}

export interface SocketSessions {
  /** True when the socket may go on; otherwise it has been closed with 4403, and a reason that is a code. */
  begin: (extra: SocketExtra, connectionParams: Params | undefined) => Promise<boolean>;
  of: (socket: WebSocket) => SocketSession | undefined;
}

/** Who is on which socket. */
export function keepSessions({ viewers, accessOf, isRevoked, watched }: SessionsOptions): SocketSessions {
  const sessions = new WeakMap<WebSocket, SocketSession>();

  async function identify({ headers }: IncomingMessage, params: Params = {}): Promise<SocketSession | string> {
    try {
      const access = accessOf(inLowerCase(params), headers);
      const session = await viewers.fromConnectionParams(params);
      return (await isEnded(session.viewer, isRevoked)) ? 'UNAUTHENTICATED' : { ...session, access };
    } catch (error) {
      return isProblem(error) ? error.code : 'UNAUTHENTICATED';
    }
  }

  return {
    async begin({ socket, request }, connectionParams) {
      const forbid = (reason: string): void => socket.close(CloseCode.Forbidden, reason);
      const session = await identify(request, connectionParams);
      if (typeof session === 'string') {
        forbid(session);
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

/** Parameters stand for headers, whose names have no case. */
const inLowerCase = (params: Params): Params =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name.toLowerCase(), value]));
