import type { Server } from 'node:http';
import type { Socket } from 'node:net';

/**
 * Connections over which nothing was asked yet: clients open them ahead. Node does not count them as idle, so they would delay a stop until their
 * headers are overdue. Returns what closes them.
 */
export function silentConnections(server: Server): () => void {
  const open = new Set<Socket>();
  server.on('connection', (socket) => {
    open.add(socket);
    socket.once('close', () => open.delete(socket));
  });
  return () => {
    for (const socket of open) if (socket.bytesRead === 0) socket.destroy();
  };
}
