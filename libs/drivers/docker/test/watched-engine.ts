import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { waitFor } from '#kernel';
import { newFolder } from '../../../../test/support/data-tree.js';

/** A way to an engine on which it is seen what is asked. */
export class WatchedEngine {
  private readonly sockets = new Set<Socket>();
  private readonly asked: string[] = [];

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  /** @param endpoint `unix://…` */
  static async before(endpoint: string): Promise<WatchedEngine> {
    const path = join(newFolder(), 'docker.sock');
    const server = createServer();
    const watched = new WatchedEngine(server, `unix://${path}`);
    server.on('connection', (from) => {
      const to = connect(endpoint.slice('unix://'.length));
      from.on('data', (chunk) => watched.asked.push(chunk.toString('latin1')));
      from.pipe(to).pipe(from);
      for (const socket of [from, to]) {
        watched.sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => [from, to].forEach((one) => one.destroy()));
      }
    });
    await new Promise<void>((listening) => server.listen(path, listening));
    return watched;
  }

  /** Until a look of a check at this container has ended, and it looks again: the one before did not pass. */
  async untilLookedAgain(container: string): Promise<void> {
    const looks = (): number =>
      this.asked.join('').split(`/containers/${container}/json`).length - 1;
    await waitFor(() => looks() > 1, {
      what: `a second look at ${container}`,
      deadlineMs: 60_000,
    });
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }
}
