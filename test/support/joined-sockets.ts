import type { Socket } from 'node:net';

/** Both ends of a way: whichever closes takes the other with it. @param open has them as long as they are */
export function joinSockets(open: Set<Socket>, ...ends: readonly [Socket, Socket]): void {
  for (const socket of ends) {
    open.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => {
      open.delete(socket);
      for (const one of ends) one.destroy();
    });
  }
}
