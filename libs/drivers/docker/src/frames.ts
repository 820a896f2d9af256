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

/**
 * How the whole of an output is told from one that was cut off at its end. An engine throws away what it has not read 2 s after a container's
 * end, and one that is killed closes its connections as in good order: neither the exit code nor the end of a stream says that all came.
 */
export interface OutputEnd {
  /** What comes last on either stream, in ASCII; it is not passed on. */
  readonly mark: string;
  /** Called once, when it has come on both: a writer that waits for this has lost nothing. */
  readonly onMarks: () => void;
  /** Awaited before the end is passed on: an error here is the stream's. */
  readonly check: () => Promise<void>;
}

/** Standard output only, with back pressure; standard error goes to `errors`. */
export class Stdout extends Transform {
  private readonly frames = new FrameReader();
  /** What came last, at least as long as the mark where so much came: the mark is looked for in it alone. */
  private last: Buffer = Buffer.alloc(0);
  private isMarked = false;

  /** @param whole default: all that comes is passed on, and counts as whole */
  constructor(
    private readonly errors: ErrorText,
    private readonly whole?: OutputEnd,
  ) {
    super();
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.frames.push(chunk, (isError, piece) => {
      if (isError) this.errors.add(piece);
      else if (this.whole === undefined) this.push(piece);
      else this.hold(piece, this.whole.mark.length);
    });
    if (!this.isMarked && this.whole !== undefined && this.endsWith(this.whole.mark)) {
      if (this.errors.toString().endsWith(this.whole.mark)) {
        this.isMarked = true;
        this.whole.onMarks();
      }
    }
    done();
  }

  override _flush(done: TransformCallback): void {
    const end = async (): Promise<void> => {
      await this.whole?.check();
      if (!this.frames.isWhole) throw cutOff('in the middle');
      if (this.whole === undefined) return;
      const { mark } = this.whole;
      if (!this.endsWith(mark)) throw cutOff('before the end');
      this.push(this.last.subarray(0, -mark.length));
    };
    callbackify(end)((error) => done(error));
  }

  /** Passes on what came before, whole pieces where that can be: neither a copy nor a second piece for each. */
  private hold(piece: Buffer, least: number): void {
    if (piece.length >= least) {
      if (this.last.length > 0) this.push(this.last);
      this.last = piece;
      return;
    }
    const both = Buffer.concat([this.last, piece]);
    const passed = Math.max(0, both.length - least);
    if (passed > 0) this.push(both.subarray(0, passed));
    this.last = both.subarray(passed);
  }

  private endsWith(mark: string): boolean {
    return this.last.subarray(-mark.length).equals(Buffer.from(mark));
  }
}

/** @param where it ended: "… the output" */
export function cutOff(where: string, what = 'reading'): LiftlockError {
  return new LiftlockError(
    'target_unreachable',
    `${what} failed: the connection to the engine ended ${where} of the output`,
  );
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
