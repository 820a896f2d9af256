import type { Hash } from 'node:crypto';
import { LiftlockError } from '#kernel';
import type { Descriptor } from './descriptor.js';
import { algorithmOf, hasherOf } from './digest.js';

/** Where the check of a blob stands: what came so far, and its hash. */
export class Verification {
  private hash: Hash;
  private received = 0;

  constructor(
    private readonly blob: Pick<Descriptor, 'digest' | 'size'>,
    /** For messages: where the blob comes from. */
    private readonly where: string,
  ) {
    this.hash = hasherOf(blob.digest);
    if (blob.size === 0) this.compare();
  }

  get offset(): number {
    return this.received;
  }

  /** The same state, to go on from later. */
  copy(): Verification {
    const copied = new Verification(this.blob, this.where);
    copied.hash = this.hash.copy();
    copied.received = this.received;
    return copied;
  }

  /** Takes the next piece. @throws LiftlockError `image_corrupt` as soon as it is known, with the last piece at the latest */
  add(piece: Buffer): void {
    const { size } = this.blob;
    this.received += piece.byteLength;
    if (this.received > size) throw this.corrupt(`more than ${size} bytes`);
    this.hash.update(piece);
    if (this.received === size && piece.byteLength > 0) this.compare();
  }

  /** @throws LiftlockError `image_corrupt` when it ended too early */
  finish(): void {
    const { size } = this.blob;
    if (this.received !== size) throw this.corrupt(`${this.received} of ${size} bytes`);
  }

  /** Hands on what comes, and the last piece only when the whole is what the digest says: what is corrupt is never sent to its end. */
  async *through(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
    for await (const piece of source) {
      this.add(piece);
      yield piece;
    }
    this.finish();
  }

  private compare(): void {
    const found = `${algorithmOf(this.blob.digest)}:${this.hash.copy().digest('hex')}`;
    if (found !== this.blob.digest) throw this.corrupt(found);
  }

  private corrupt(found: string): LiftlockError {
    return new LiftlockError(
      'image_corrupt',
      `the blob ${this.blob.digest} of ${this.where} is corrupt: what came was ${found}`,
      { details: { expected: this.blob.digest, found } },
    );
  }
}
