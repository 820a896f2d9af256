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

interface BlobState {
  readonly size: number;
  sent: number;
  isDone: boolean;
}

/** Adds up. Pieces come by the thousand, so each costs the same, however many blobs there are. */
export class ProgressTotals implements CopyProgress {
  private readonly states = new Map<string, BlobState>();
  private totalBytes = 0;
  private doneBytes = 0;
  private movedBytes = 0;
  private doneBlobs = 0;

  constructor(private readonly changed: (totals: Totals) => void = () => undefined) {}

  found(blob: Descriptor): void {
    this.stateOf(blob);
    this.changed(this.totals());
  }

  moved(blob: Descriptor, bytes: number): void {
    this.movedBytes += bytes;
    this.change(blob, (state) => (state.sent += bytes));
  }

  finished(blob: Descriptor): void {
    this.change(blob, (state) => {
      if (!state.isDone) this.doneBlobs += 1;
      state.isDone = true;
    });
  }

  totals(): Totals {
    const { totalBytes, doneBytes, movedBytes, doneBlobs } = this;
    return { totalBytes, doneBytes, movedBytes, doneBlobs, blobs: this.states.size };
  }

  private change(blob: Descriptor, act: (state: BlobState) => void): void {
    const state = this.stateOf(blob);
    this.doneBytes -= doneOf(state);
    act(state);
    this.doneBytes += doneOf(state);
    this.changed(this.totals());
  }

  private stateOf({ digest, size }: Descriptor): BlobState {
    const known = this.states.get(digest);
    if (known !== undefined) return known;
    const state = { size, sent: 0, isDone: false };
    this.states.set(digest, state);
    this.totalBytes += size;
    return state;
  }
}

function doneOf({ size, sent, isDone }: BlobState): number {
  return isDone ? size : Math.min(size, sent);
}
