import { Transform, type TransformCallback } from 'node:stream';
import { callbackify } from 'node:util';
import { HeldEnd, type ErrorText } from '#drivers/data';
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
  private readonly held: HeldEnd | undefined;
  private isMarked = false;

  /** @param whole default: all that comes is passed on, and counts as whole */
  constructor(
    private readonly errors: ErrorText,
    private readonly whole?: OutputEnd,
  ) {
    super();
    this.held = whole === undefined ? undefined : new HeldEnd(whole.mark);
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.frames.push(chunk, (isError, piece) => {
      if (isError) this.errors.add(piece);
      else {
        const passed = this.held === undefined ? piece : this.held.take(piece);
        if (passed !== undefined) this.push(passed);
      }
    });
    if (!this.isMarked && this.whole !== undefined && this.held?.isMarked === true) {
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
      if (this.held === undefined) return;
      if (!this.held.isMarked) throw cutOff('before the end');
      this.push(this.held.rest);
    };
    callbackify(end)((error) => done(error));
  }
}

/** @param where it ended: "… the output" */
export function cutOff(where: string, what = 'reading'): LiftlockError {
  return new LiftlockError(
    'target_unreachable',
    `${what} failed: the connection to the engine ended ${where} of the output`,
  );
}
