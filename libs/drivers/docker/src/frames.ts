import { PassThrough, Transform, type TransformCallback } from 'node:stream';
import { callbackify } from 'node:util';
import { LiftlockError } from '#kernel';

const HEADER = 8;
const STDERR = 2;

/**
 * Takes apart the engine's multiplexed stream: frames of 8 bytes (which stream, 3 zeroes, length) and payload
 * (https://docs.docker.com/reference/api/engine/, "Stream format"). dockerode's own has no back pressure and copies
 * what it holds with every chunk.
 */
export class FrameReader {
  private header = Buffer.alloc(0);
  private stream = 0;
  private remaining = 0;

  /** Whether what came so far ends between two frames. */
  get isWhole(): boolean {
    return this.remaining === 0 && this.header.length === 0;
  }

  /** Calls back for each piece of payload, in order. */
  push(chunk: Buffer, onPiece: (isError: boolean, piece: Buffer) => void): void {
    let rest = chunk;
    while (rest.length > 0) {
      if (this.remaining === 0) {
        const missing = HEADER - this.header.length;
        this.header = Buffer.concat([this.header, rest.subarray(0, missing)]);
        rest = rest.subarray(missing);
        if (this.header.length < HEADER) return;
        this.stream = this.header.readUInt8(0);
        this.remaining = this.header.readUInt32BE(4);
        this.header = Buffer.alloc(0);
        continue;
      }
      const piece = rest.subarray(0, this.remaining);
      rest = rest.subarray(piece.length);
      this.remaining -= piece.length;
      onPiece(this.stream === STDERR, piece);
    }
  }
}

/** Standard output only, with back pressure; standard error goes to the callback. */
export class Stdout extends Transform {
  private readonly frames = new FrameReader();

  constructor(
    private readonly onError: (piece: Buffer) => void,
    /** Awaited before the end is passed on: an error here is the stream's. */
    private readonly atEnd: () => Promise<void> = async () => undefined,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.frames.push(chunk, (isError, piece) => {
      if (isError) this.onError(piece);
      else this.push(piece);
    });
    done();
  }

  override _flush(done: TransformCallback): void {
    const end = async (): Promise<void> => {
      await this.atEnd();
      if (!this.frames.isWhole) {
        throw new LiftlockError(
          'target_unreachable',
          'the connection to the engine ended in the middle of the output',
        );
      }
    };
    callbackify(end)((error) => done(error));
  }
}

/** Takes what comes on standard error, and says what of it are words about what went wrong. */
export interface ErrorText {
  readonly add: (piece: Buffer) => void;
  toString(): string;
}

/** The last bytes of a text that may be long: enough for an error's message. */
export class Tail implements ErrorText {
  private text = '';

  constructor(private readonly limit = 4000) {}

  readonly add = (piece: Buffer): void => {
    this.text = (this.text + piece.toString('utf8')).slice(-this.limit);
  };

  toString(): string {
    return this.text.trim();
  }
}

/** A list, and after the last zero byte of all words about what went wrong, which hold none. */
export class ListThenWords implements ErrorText {
  readonly list = new PassThrough();
  /** From the last zero byte on. */
  private held: Buffer[] = [];

  /** What the reader of the list lags behind is kept in memory, as the list itself will be. */
  readonly add = (piece: Buffer): void => {
    const last = piece.lastIndexOf(0);
    if (last < 0) {
      this.held.push(piece);
      return;
    }
    for (const one of [...this.held, piece.subarray(0, last)]) this.list.write(one);
    this.held = [piece.subarray(last)];
  };

  toString(): string {
    const words = new Tail();
    for (const piece of this.held) words.add(piece);
    return words.toString().replaceAll('\0', '').trim();
  }
}
