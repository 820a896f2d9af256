import { Budget, type Release } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import { hasBlob, writeBlob } from '../registry/blob-writer.js';
import type { Repository } from '../registry/repository.js';
import { UNCLAIMED, type BlobClaims } from './blob-claims.js';
import { EarlyBody } from './early-body.js';
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
  /** Of which the body has been asked for, by whoever will write it if the target has it not. */
  private readonly asked = new Set<string>();

  constructor(private readonly claims: BlobClaims = UNCLAIMED) {}

  /** @returns `there` also for who waited for another one to send it: it is sent, and counts, once */
  async copy(
    source: ImageSource,
    target: Repository,
    blob: Descriptor,
    progress: CopyProgress | undefined,
    signal: AbortSignal | undefined,
  ): Promise<BlobOutcome> {
    if (this.known.has(target, blob)) return 'there';
    let isOurs = false;
    const outcome = await this.flights.do(`${target.address}@${blob.digest}`, signal, (shared) => {
      isOurs = true;
      return this.copyOnce({ source, target, blob, progress, signal: shared });
    });
    return isOurs ? outcome : 'there';
  }

  private async copyOnce(one: OneBlob): Promise<BlobOutcome> {
    const { source, target, blob, progress, signal } = one;
    const key = `${target.client.registry}@${blob.digest}`;
    const body = new EarlyBody(source, blob, signal);
    let room: Release | undefined = await this.budget.take(shareOf(blob), signal);
    try {
      const elsewhere = (): string | undefined => this.known.elsewhere(target, blob);
      // one that can be mounted is not asked for before: the mount says whether it is there
      const isAsked = elsewhere() === undefined && !this.writing.has(key);
      if (isAsked && (await this.isThere(one, key, body))) return this.noted(one, 'there');
      for (let other = this.writing.get(key); other !== undefined; other = this.writing.get(key)) {
        room?.();
        room = undefined;
        await body.end();
        await other.catch(() => undefined);
        signal.throwIfAborted();
      }
      const written = this.claimed(one, room, body, (lately) => {
        const mountFrom = elsewhere() ?? lately ?? homeOf(one);
        if (mountFrom === undefined) body.begin();
        const moved = (bytes: number): void => progress?.moved(blob, bytes);
        return writeBlob(target, blob, body, { signal, mountFrom, moved });
      });
      this.writing.set(key, written);
      try {
        return this.noted(one, await written);
      } finally {
        this.writing.delete(key);
      }
    } finally {
      room?.();
      await body.end();
    }
  }

  /** Asks the target. The first who asks a registry for a blob asks for its body at the same time; who comes later will mount it. */
  private async isThere(one: OneBlob, key: string, body: EarlyBody): Promise<boolean> {
    const isFirst = homeOf(one) === undefined && !this.asked.has(key);
    if (isFirst) {
      this.asked.add(key);
      body.begin();
    }
    try {
      return await hasBlob(one.target, one.blob, one.signal);
    } finally {
      if (isFirst) this.asked.delete(key);
    }
  }

  private noted({ target, blob }: OneBlob, outcome: BlobOutcome): BlobOutcome {
    this.known.add(target, blob);
    return outcome;
  }

  /**
   * Writes while no other process writes the same. Whoever waits for another one takes nothing of the budget, and whoever waits for the budget
   * keeps nobody else from writing.
   * @param held of the budget; default: nothing yet
   * @param write is told the other repository that another process wrote it to
   */
  private async claimed(
    { target, blob, signal }: OneBlob,
    held: Release | undefined,
    body: EarlyBody,
    write: (lately: string | undefined) => Promise<BlobOutcome>,
  ): Promise<BlobOutcome> {
    const wanted = {
      registry: target.client.registry,
      repository: target.name,
      digest: blob.digest,
    };
    for (let room = held; ; room = undefined) {
      room ??= await this.budget.take(shareOf(blob), signal);
      try {
        const claim = await this.claims.take(wanted);
        if (claim !== undefined)
          try {
            if (claim.lately !== target.name) return await write(claim.lately);
            return (await hasBlob(target, blob, signal)) ? 'there' : await write(undefined);
          } finally {
            await claim.release();
          }
      } finally {
        room();
      }
      await body.end();
      await this.claims.untilFree(wanted, signal);
    }
  }
}

/** One blob's way to one repository. */
interface OneBlob {
  readonly source: ImageSource;
  readonly target: Repository;
  readonly blob: Descriptor;
  readonly progress: CopyProgress | undefined;
  readonly signal: AbortSignal;
}

/** Where the target's registry has it, when it is the source's, too. */
function homeOf({ source: { home }, target }: OneBlob): string | undefined {
  return home?.registry === target.client.registry && home.repository !== target.name
    ? home.repository
    : undefined;
}

function shareOf({ size }: Descriptor): number {
  return size < SMALL ? 1 : size < MIDDLING ? 2 : 4;
}
