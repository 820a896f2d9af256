import { createHash } from 'node:crypto';

export interface WrittenArchive {
  readonly bytes: number;
  /** `sha256:…` */
  readonly sha256: string;
}

/** How many bytes have passed, and their hash; none of them is kept. */
export class PassedBytes {
  private readonly hash = createHash('sha256');
  private count = 0;

  get bytes(): number {
    return this.count;
  }

  add(piece: Buffer): void {
    this.hash.update(piece);
    this.count += piece.length;
  }

  /** Of all that will pass: to be asked for once. */
  end(): WrittenArchive {
    return { bytes: this.count, sha256: `sha256:${this.hash.digest('hex')}` };
  }
}
