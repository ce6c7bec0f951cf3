import type { IncomingMessage } from 'node:http';
import { CloseCode } from 'graphql-ws';
import type { WebSocket } from 'ws';
import { isProblem } from '#shared/base/errors.ts';
import type { Places } from '#shared/base/quota.ts';
import type { SocketExtra } from '#shared/transport/websocket-server.ts';
import type { SessionWatch } from '../http/session-watch.ts';
import type { Access, UseApiKeys } from '../plugins/use-api-keys.ts';
import { isEnded, type IsRevoked } from '../plugins/use-revocations.ts';
import type { Session, UseViewer } from '../plugins/use-viewer.ts';

interface SessionsOptions {
  viewers: UseViewer;
  accessOf: UseApiKeys;
  isRevoked?: IsRevoked | undefined;
  sessionWatch: SessionWatch;
  /** One place per open socket of a viewer. */
  places: Places;
}

/** The protocol's code for "too many initialisation requests". */
const TOO_MANY_REQUESTS_CODE = 4429;

type Params = Readonly<Record<string, unknown>>;

interface SocketSession extends Session {
  access: Access;
}

export interface WebsocketSessions {
  /** False when the socket was closed with 4403 or 4429, with an error code as the reason. */
  begin: (extra: SocketExtra, connectionParams: Params | undefined) => Promise<boolean>;
  of: (socket: WebSocket) => SocketSession | undefined;
}

/** Sessions by socket. */
export function createWebsocketSessions({ viewers, accessOf, isRevoked, sessionWatch, places }: SessionsOptions): WebsocketSessions {
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
      // A socket that has closed meanwhile tells of it no more: nothing would be given back.
      if (socket.readyState !== socket.OPEN) return false;
      if (typeof session === 'string') {
        forbid(session);
        return false;
      }
      const free = session.viewer ? places.take(session.viewer.id) : () => undefined;
      if (!free) {
        socket.close(TOO_MANY_REQUESTS_CODE, 'TOO_MANY_SOCKETS');
        return false;
      }
      sessions.set(socket, session);
      const leave = sessionWatch.watch(session, forbid);
      socket.once('close', () => {
        leave();
        free();
        sessions.delete(socket);
      });
      return true;
    },
    of: (socket) => sessions.get(socket),
  };
}

/** Connection parameters stand for headers, whose names are case-insensitive. */
const inLowerCase = (params: Params): Params =>
  Object.fromEntries(Object.entries(params).map(([name, value]) => [name.toLowerCase(), value]));
