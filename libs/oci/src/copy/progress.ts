import type { Descriptor } from '../descriptor.js';

/** How a blob came to be at the target. */
export type BlobOutcome = 'there' | 'mounted' | 'uploaded';

/** Told while an image is copied; all of it comes from within the copy, so it must be quick. */
export interface CopyProgress {
  /** A blob belongs to the image, and is looked at. */
  found(blob: Descriptor): void;
  /** Bytes on their way to the target; negative when an attempt is begun anew. */
  moved(blob: Descriptor, bytes: number): void;
  finished(blob: Descriptor, outcome: BlobOutcome): void;
}

/** How far a copy is, in bytes. */
export interface Totals {
  /** Of all blobs that have been found; what a nested index still hides comes as it is read. */
  readonly totalBytes: number;
  /** At the target by now, however it came there. */
  readonly doneBytes: number;
  /** Sent. */
  readonly movedBytes: number;
  readonly blobs: number;
  readonly doneBlobs: number;
}

/** Adds up. */
export class ProgressTotals implements CopyProgress {
  private readonly sizes = new Map<string, number>();
  private readonly done = new Set<string>();
  private readonly partly = new Map<string, number>();
  private moving = 0;

  constructor(private readonly changed: (totals: Totals) => void = () => undefined) {}

  found({ digest, size }: Descriptor): void {
    this.sizes.set(digest, size);
    this.changed(this.totals());
  }

  moved({ digest }: Descriptor, bytes: number): void {
    this.moving += bytes;
    this.partly.set(digest, (this.partly.get(digest) ?? 0) + bytes);
    this.changed(this.totals());
  }

  finished({ digest }: Descriptor): void {
    this.done.add(digest);
    this.partly.delete(digest);
    this.changed(this.totals());
  }

  totals(): Totals {
    let totalBytes = 0;
    let doneBytes = 0;
    for (const [digest, size] of this.sizes) {
      totalBytes += size;
      doneBytes += this.done.has(digest) ? size : Math.min(size, this.partly.get(digest) ?? 0);
    }
    return {
      totalBytes,
      doneBytes,
      movedBytes: this.moving,
      blobs: this.sizes.size,
      doneBlobs: this.done.size,
    };
  }
}
