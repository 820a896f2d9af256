import type { ClientRequest, IncomingMessage } from 'node:http';
import { LiftlockError } from '#kernel';
import type { ProgressWatch } from './progress-watch.js';

/** Bytes that are read rather than to connect anew. */
const LITTLE = 64 * 1024;

/** A response whose body is read once, or thrown away; a connection is free again only then. */
export class Answer {
  private received = 0;

  constructor(
    private readonly call: ClientRequest,
    private readonly message: IncomingMessage,
    private readonly watch: ProgressWatch,
    private readonly passed?: (bytes: number) => Promise<void>,
  ) {
    watch.alive();
    // it answered before it had read all: the rest of the body would be taken for the next request
    message.once('end', () => {
      if (!call.writableEnded) call.destroy();
    });
    message.on('error', () => undefined);
  }

  get status(): number {
    return this.message.statusCode ?? 0;
  }

  header(name: string): string | undefined {
    const value = this.message.headers[name];
    return Array.isArray(value) ? value.join(', ') : value;
  }

  /** The challenges of a 401, one a header. */
  get challenges(): readonly string[] {
    return this.message.headersDistinct['www-authenticate'] ?? [];
  }

  /** The body as it comes; to leave the loop early discards the rest. */
  async *stream(): AsyncGenerator<Buffer, void, undefined> {
    try {
      for await (const chunk of this.message.iterator({ destroyOnReturn: false })) {
        const piece = chunk as Buffer;
        this.received += piece.byteLength;
        this.watch.moved(piece.byteLength);
        if (this.passed !== undefined) await this.passed(piece.byteLength);
        yield piece;
      }
    } finally {
      this.discard();
    }
    // a body without a length that is cut looks like its end
    if (!this.message.complete) throw new Error('the answer was cut');
  }

  /** All of a body that is known to be small. @throws LiftlockError `registry_refused` when it is larger */
  async bytes(max: number): Promise<Buffer> {
    const pieces: Buffer[] = [];
    let length = 0;
    for await (const piece of this.stream()) {
      length += piece.byteLength;
      if (length > max)
        throw new LiftlockError(
          'registry_refused',
          `the answer is larger than ${max} bytes, which is more than is taken`,
        );
      pieces.push(piece);
    }
    return pieces.length === 1 && pieces[0] !== undefined ? pieces[0] : Buffer.concat(pieces);
  }

  /** Nobody wants what is left of the body: a little is read, so that the connection can be used again. */
  discard(): void {
    if (this.message.readableEnded) return;
    const length = Number(this.header('content-length') ?? Number.POSITIVE_INFINITY);
    if (length - this.received <= LITTLE || this.call.method === 'HEAD') this.message.resume();
    else this.call.destroy();
  }

  /** Ends the connection, whatever is on its way. */
  destroy(): void {
    this.call.destroy();
  }
}
