import type { Descriptor } from '../descriptor.js';
import { hasBlob, writeBlob } from '../registry/blob-writer.js';
import type { Repository } from '../registry/repository.js';
import { UNCLAIMED, type BlobClaims } from './blob-claims.js';
import { Budget } from './budget.js';
import type { ImageSource } from './image-source.js';
import { KnownBlobs } from './known-blobs.js';
import type { BlobOutcome, CopyProgress } from './progress.js';
import { SingleFlight } from './single-flight.js';

/** What is given to blobs at a time: 8 large ones, or 32 small ones. */
const BUDGET = 32;
const SMALL = 1024 * 1024;
const MIDDLING = 16 * 1024 * 1024;

/** Copies blobs, each once, however many images and jobs want it at the same time, in this process and in those that it shares claims with. */
export class BlobCopier {
  readonly known = new KnownBlobs();
  private readonly budget = new Budget(BUDGET);
  private readonly flights = new SingleFlight<BlobOutcome>();
  /** What is being written to a registry, wherever in it: whoever wants it elsewhere there waits and mounts it. */
  private readonly writing = new Map<string, Promise<unknown>>();

  constructor(private readonly claims: BlobClaims = UNCLAIMED) {}

  /** @returns `there` also for who waited for another one to send it: it is sent, and counts, once */
  async copy(
    source: ImageSource,
    target: Repository,
    blob: Descriptor,
    progress: CopyProgress | undefined,
    signal: AbortSignal | undefined,
  ): Promise<BlobOutcome> {
    let isOurs = false;
    const outcome = await this.flights.do(`${target.address}@${blob.digest}`, signal, (shared) => {
      isOurs = true;
      return this.copyOnce(source, target, blob, progress, shared);
    });
    return isOurs ? outcome : 'there';
  }

  private async copyOnce(
    source: ImageSource,
    target: Repository,
    blob: Descriptor,
    progress: CopyProgress | undefined,
    signal: AbortSignal,
  ): Promise<BlobOutcome> {
    if (this.known.has(target, blob)) return 'there';
    const key = `${target.client.registry}@${blob.digest}`;
    const elsewhere = (): string | undefined => this.known.elsewhere(target, blob);
    // one that can be mounted is not asked for before: the mount says whether it is there
    if (elsewhere() === undefined && !this.writing.has(key)) {
      const there = await this.budget.with(1, signal, () => hasBlob(target, blob, signal));
      if (there) {
        this.known.add(target, blob);
        return 'there';
      }
    }
    for (let other = this.writing.get(key); other !== undefined; other = this.writing.get(key)) {
      await other.catch(() => undefined);
      signal.throwIfAborted();
    }
    const written = this.claimed(target, blob, signal, (lately) =>
      writeBlob(target, blob, source, {
        signal,
        mountFrom: elsewhere() ?? lately ?? homeOf(source, target),
        moved: (bytes) => progress?.moved(blob, bytes),
      }),
    );
    this.writing.set(key, written);
    try {
      const outcome = await written;
      this.known.add(target, blob);
      return outcome;
    } finally {
      this.writing.delete(key);
    }
  }

  /**
   * Writes while no other process writes the same. Whoever waits for another one takes nothing of the budget, and whoever waits for the budget
   * keeps nobody else from writing.
   * @param write is told the other repository that another process wrote it to
   */
  private async claimed(
    target: Repository,
    blob: Descriptor,
    signal: AbortSignal,
    write: (lately: string | undefined) => Promise<BlobOutcome>,
  ): Promise<BlobOutcome> {
    const wanted = {
      registry: target.client.registry,
      repository: target.name,
      digest: blob.digest,
    };
    for (;;) {
      const outcome = await this.budget.with(shareOf(blob), signal, async () => {
        const claim = await this.claims.take(wanted);
        if (claim === undefined) return undefined;
        try {
          if (claim.lately !== target.name) return await write(claim.lately);
          return (await hasBlob(target, blob, signal)) ? 'there' : await write(undefined);
        } finally {
          await claim.release();
        }
      });
      if (outcome !== undefined) return outcome;
      await this.claims.untilFree(wanted, signal);
    }
  }
}

function homeOf({ home }: ImageSource, target: Repository): string | undefined {
  return home?.registry === target.client.registry && home.repository !== target.name
    ? home.repository
    : undefined;
}

function shareOf({ size }: Descriptor): number {
  return size < SMALL ? 1 : size < MIDDLING ? 2 : 4;
}
