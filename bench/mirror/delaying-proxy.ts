import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP proxy on the loopback that holds each piece back for a time, both ways: a round trip, where the kernel has no netem. */
export class DelayingProxy {
  private constructor(
    private readonly server: Server,
    private readonly sockets: ReadonlySet<Socket>,
    /** `127.0.0.1:<port>` */
    readonly host: string,
  ) {}

  /** @param oneWayMs half of the round trip */
  static async start(target: string, oneWayMs: number): Promise<DelayingProxy> {
    const [host, port] = target.split(':');
    const sockets = new Set<Socket>();
    const server = createServer({ allowHalfOpen: true, noDelay: true }, (client) => {
      const upstream = connect({ host, port: Number(port), allowHalfOpen: true, noDelay: true });
      for (const [from, to] of [
        [client, upstream],
        [upstream, client],
      ] as const) {
        sockets.add(from);
        from.on('error', () => to.destroy());
        from.on('close', () => sockets.delete(from));
        // order holds: timers of the same length fire in the order in which they were set
        from.on('data', (piece) => void setTimeout(() => to.writable && to.write(piece), oneWayMs));
        from.on('end', () => void setTimeout(() => to.end(), oneWayMs));
      }
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    return new DelayingProxy(
      server,
      sockets,
      `127.0.0.1:${(server.address() as AddressInfo).port}`,
    );
  }

  async stop(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    await new Promise<void>((resolve) => void this.server.close(() => resolve()));
  }
}

// a process of its own: what it costs is not the client's
const [target, oneWayMs] = process.argv.slice(2);
if (target !== undefined && oneWayMs !== undefined) {
  const proxy = await DelayingProxy.start(target, Number(oneWayMs));
  process.stdout.write(`${proxy.host}\n`);
  process.once('SIGTERM', () => void proxy.stop());
}
