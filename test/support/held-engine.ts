import { rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { pipeline } from 'node:stream';
import { joinSockets } from './joined-sockets.js';
import { newFolder } from './shared-servers.js';

/** So much of a helper's input, or output, is passed on before it holds: more than lists are, and less than the data. */
const PASSED_BYTES = 4 * 1024 * 1024;

/** From then on the connection is a helper's standard input and output. */
const ATTACH = /^POST \S*\/attach\?/;

/** What is read of data comes from the engine; what is put back goes to it. */
export type Way = 'read' | 'written';

/** Those that hold now, and whether later ones will. */
class Gate {
  private opens = Promise.withResolvers<undefined>();
  private isOpen = false;
  private holding = 0;

  get holds(): boolean {
    return this.holding > 0;
  }

  async *through(
    pieces: AsyncIterable<Buffer>,
    isHelpers: (piece: Buffer) => boolean,
  ): AsyncGenerator<Buffer> {
    let passed = 0;
    for await (const piece of pieces) {
      const before = passed;
      if (isHelpers(piece)) passed += piece.length;
      if (before < PASSED_BYTES && passed >= PASSED_BYTES && !this.isOpen) await this.wait();
      yield piece;
    }
  }

  letGo(): void {
    const { opens } = this;
    this.opens = Promise.withResolvers<undefined>();
    opens.resolve(undefined);
  }

  open(): void {
    this.isOpen = true;
    this.letGo();
  }

  private async wait(): Promise<void> {
    this.holding += 1;
    await this.opens.promise;
    this.holding -= 1;
  }
}

/** A way to an engine on which data does not come whole before it is let go: what reads or writes it is in the middle until then, for as long as it takes. */
export class HeldEngine {
  private readonly gates: Readonly<Record<Way, Gate>> = { read: new Gate(), written: new Gate() };
  private readonly sockets = new Set<Socket>();

  private constructor(
    /** As an endpoint: `unix://…`, in place of the engine's own. */
    readonly host: string,
    private readonly folder: string,
    private readonly server: Server,
  ) {}

  /** @param engine on a Unix socket of this machine */
  static async before(engine: { readonly host: string }): Promise<HeldEngine> {
    const folder = newFolder('held');
    const path = join(folder, 'docker.sock');
    const server = createServer({ allowHalfOpen: true });
    const one = new HeldEngine(`unix://${path}`, folder, server);
    const behind = engine.host.slice('unix://'.length);
    server.on('connection', (client) =>
      one.join(client, connect({ path: behind, allowHalfOpen: true })),
    );
    await new Promise<void>((listening) => server.listen(path, listening));
    return one;
  }

  /** Whether something is in the middle, and goes no further. */
  holds(way: Way): boolean {
    return this.gates[way].holds;
  }

  /** What is held now goes on; what comes later is held again. */
  letGo(way: Way): void {
    this.gates[way].letGo();
  }

  /** Nothing is held any more. */
  open(way: Way): void {
    this.gates[way].open();
  }

  async stop(): Promise<void> {
    for (const gate of Object.values(this.gates)) gate.open();
    const closed = new Promise<void>((resolve) => void this.server.close(() => resolve()));
    for (const socket of this.sockets) socket.destroy();
    await closed;
    rmSync(this.folder, { recursive: true, force: true });
  }

  private join(client: Socket, engine: Socket): void {
    joinSockets(this.sockets, client, engine);
    let isAttached = false;
    const attaches = (piece: Buffer): boolean =>
      (isAttached ||= ATTACH.test(piece.toString('latin1', 0, 1_000)));
    this.pass(client, engine, this.gates.written, attaches);
    this.pass(engine, client, this.gates.read, () => isAttached);
  }

  private pass(from: Socket, to: Socket, gate: Gate, isHelpers: (piece: Buffer) => boolean): void {
    pipeline(
      from,
      (pieces: AsyncIterable<Buffer>) => gate.through(pieces, isHelpers),
      to,
      () => undefined, // each end takes the other with it
    );
  }
}
