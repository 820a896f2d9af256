import type { Digest } from '../digest.js';

/** A blob that somebody is about to write to a registry. */
export interface WantedBlob {
  readonly registry: string;
  readonly repository: string;
  readonly digest: Digest;
}

/**
 * Which process writes which blob, where several may want the same one at the same time. It saves transfers and is no lock: two that
 * write the same blob do no harm.
 */
export interface BlobClaims {
  /** @returns undefined while another process writes this blob, anywhere in the registry */
  take(blob: WantedBlob): Promise<BlobClaim | undefined>;
  /** Waits until it may be worthwhile to try again. @throws the signal's reason */
  untilFree(blob: WantedBlob, signal: AbortSignal): Promise<void>;
}

export interface BlobClaim {
  /** The repository that another process wrote it to, or tried to, a while ago. */
  readonly lately: string | undefined;
  release(): Promise<void>;
}

/** For a process that is alone. */
export const UNCLAIMED: BlobClaims = {
  take: () => Promise.resolve({ lately: undefined, release: () => Promise.resolve() }),
  untilFree: () => Promise.resolve(),
};
