import { connect, createServer, type Server, type Socket } from 'node:net';
import { join } from 'node:path';
import { newFolder } from '../../../../test/support/data-tree.js';
import { FrameReader } from '../src/frames.js';

/** What a helper writes last. */
const MARK = /^[0-9a-f]{32}$/;
const HEADER = 8;

/**
 * A way to an engine on which the last frame of an output never arrives, though the connection ends in good order: so it is with an engine that
 * is killed, and with one that gives up on a reader that is slow.
 */
export class CuttingEngine {
  private readonly sockets = new Set<Socket>();
  /** Outputs that were cut. */
  cut = 0;

  private constructor(
    private readonly server: Server,
    readonly endpoint: string,
  ) {}

  /**
   * @param endpoint `unix://…`
   * @param stream whose last frame is lost: 1 is the standard output, 2 the standard error
   */
  static async before(endpoint: string, stream: 1 | 2): Promise<CuttingEngine> {
    const path = join(newFolder(), 'docker.sock');
    const server = createServer({ allowHalfOpen: true });
    const cutting = new CuttingEngine(server, `unix://${path}`);
    server.on('connection', (from) => {
      const to = connect({ path: endpoint.slice('unix://'.length), allowHalfOpen: true });
      for (const socket of [from, to]) {
        cutting.sockets.add(socket);
        socket.on('error', () => socket.destroy());
        socket.on('close', () => [from, to].forEach((one) => one.destroy()));
      }
      const pass = (chunk: Buffer): void => void from.write(chunk);
      to.on('data', pass);
      to.on('end', () => from.end());
      from.pipe(to);
      // a connection is used for one question after the other
      from.on('data', (asked: Buffer) => {
        if (!/^POST \S*\/attach\?/.test(asked.toString('latin1'))) return;
        to.off('data', pass);
        cutting.hold(from, to, stream);
      });
    });
    await new Promise<void>((listening) => server.listen(path, listening));
    return cutting;
  }

  close(): void {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  /** Each frame of the stream is passed on when the next one comes. */
  private hold(client: Socket, engine: Socket, stream: 1 | 2): void {
    let head: Buffer | undefined = Buffer.alloc(0);
    let held: Buffer | undefined;
    let said = '';
    let wasTold = false;
    client.on('data', () => (wasTold = true));
    const frames = new FrameReader();
    const end = (): void => {
      this.cut += 1;
      client.end();
    };
    const pass = (isError: boolean, payload: Buffer): void => {
      const header = Buffer.alloc(HEADER);
      header.writeUInt8(isError ? 2 : 1, 0);
      header.writeUInt32BE(payload.length, 4);
      const frame = Buffer.concat([header, payload]);
      if (isError !== (stream === 2)) return void client.write(frame);
      // what it says before it was told anything is an answer that is waited for
      if (stream === 2 && !wasTold) return void client.write(frame);
      if (held !== undefined) client.write(held);
      held = frame;
      said = (said + payload.toString('latin1')).slice(-32);
      // its writer waits until this has come
      if (MARK.test(said)) end();
    };
    engine.on('data', (chunk: Buffer) => {
      let rest = chunk;
      if (head !== undefined) {
        head = Buffer.concat([head, chunk]);
        const at = head.indexOf('\r\n\r\n');
        if (at < 0) return;
        client.write(head.subarray(0, at + 4));
        rest = head.subarray(at + 4);
        head = undefined;
      }
      if (!client.writableEnded) frames.push(rest, pass);
    });
    engine.prependListener('end', () => {
      if (!client.writableEnded) end();
    });
  }
}
