import { connect, createServer, type Server, type Socket } from 'node:net';
import { pipeline } from 'node:stream';
import { freePort } from '#fleet';
import { joinSockets } from './joined-sockets.js';

/** So much of what it is asked for is passed on before it holds: more than manifests are, and less than a layer. */
const PASSED_BYTES = 4 * 1024 * 1024;

/** A registry whose blobs do not come whole before it is opened: what copies from it is in mid-copy until then, for as long as it takes. */
export class HeldSource {
  private readonly opened = Promise.withResolvers<undefined>();
  private readonly sockets = new Set<Socket>();
  private passed = 0;

  private constructor(
    /** `127.0.0.1:<port>`, in place of the registry's own. */
    readonly host: string,
    private readonly server: Server,
  ) {}

  static async start(registry: { readonly host: string }): Promise<HeldSource> {
    const port = await freePort();
    const server = createServer();
    const one = new HeldSource(`127.0.0.1:${port}`, server);
    server.on('connection', (client) => one.join(client, connectTo(registry.host)));
    await new Promise<void>((listening) => server.listen(port, '127.0.0.1', listening));
    return one;
  }

  open(): void {
    this.opened.resolve(undefined);
  }

  async stop(): Promise<void> {
    this.open();
    const closed = new Promise<void>((resolve) => void this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
  }

  private join(client: Socket, registry: Socket): void {
    joinSockets(this.sockets, client, registry);
    client.pipe(registry);
    pipeline(
      registry,
      (pieces: AsyncIterable<Buffer>) => this.held(pieces),
      client,
      () => undefined, // each end takes the other with it
    );
  }

  private async *held(pieces: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const piece of pieces) {
      this.passed += piece.length;
      if (this.passed >= PASSED_BYTES) await this.opened.promise;
      yield piece;
    }
  }
}

function connectTo(host: string): Socket {
  const { hostname, port } = new URL(`http://${host}`);
  return connect(Number(port), hostname);
}
