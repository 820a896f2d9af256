import { LiftlockError } from '#kernel';

/** Takes a stream apart by counts of bytes; holds one chunk at a time. */
export class ByteReader {
  private readonly chunks: AsyncIterator<Buffer>;
  private held: Buffer = Buffer.alloc(0);

  constructor(source: AsyncIterable<Buffer>) {
    this.chunks = source[Symbol.asyncIterator]();
  }

  /** @returns nothing at the end. @throws LiftlockError `data_corrupt` where it ends within these. */
  async take(bytes: number): Promise<Buffer | undefined> {
    const pieces: Buffer[] = [];
    let left = bytes;
    while (left > 0) {
      const piece = await this.some(left);
      if (piece === undefined) {
        if (left === bytes) return undefined;
        throw cutShort();
      }
      pieces.push(piece);
      left -= piece.length;
    }
    return pieces.length === 1 ? pieces[0] : Buffer.concat(pieces);
  }

  /** Hands on so many, as they come. @throws LiftlockError `data_corrupt` where it ends before. */
  async pass(bytes: number, to: (piece: Buffer) => void): Promise<void> {
    for (let left = bytes; left > 0;) {
      const piece = await this.some(left);
      if (piece === undefined) throw cutShort();
      to(piece);
      left -= piece.length;
    }
  }

  private async some(most: number): Promise<Buffer | undefined> {
    while (this.held.length === 0) {
      const next = await this.chunks.next();
      if (next.done === true) return undefined;
      this.held = next.value;
    }
    const piece = this.held.subarray(0, most);
    this.held = this.held.subarray(piece.length);
    return piece;
  }
}

function cutShort(): LiftlockError {
  return new LiftlockError('data_corrupt', 'the archive ends within an entry');
}
