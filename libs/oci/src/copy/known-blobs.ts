import type { Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import type { Repository } from '../registry/repository.js';

/** Blobs that are remembered; about 200 bytes each. */
const MOST = 50_000;

/**
 * Which repositories have been seen to have which blobs, so that nobody asks twice, and a blob is mounted from where it is. It is a memory,
 * no truth: a registry that clears up makes it wrong, and says so when the manifest comes.
 */
export class KnownBlobs {
  /** Insertion order is age. */
  private readonly holders = new Map<string, Set<string>>();

  has(repository: Repository, { digest }: Descriptor): boolean {
    return this.holders.get(keyOf(repository, digest))?.has(repository.name) === true;
  }

  /** Another repository of the same registry that has it. */
  elsewhere(repository: Repository, { digest }: Descriptor): string | undefined {
    for (const name of this.holders.get(keyOf(repository, digest)) ?? [])
      if (name !== repository.name) return name;
    return undefined;
  }

  add(repository: Repository, { digest }: Descriptor): void {
    const key = keyOf(repository, digest);
    const holders = this.holders.get(key) ?? new Set();
    holders.add(repository.name);
    this.holders.delete(key);
    this.holders.set(key, holders);
    const [oldest] = this.holders.keys();
    if (this.holders.size > MOST && oldest !== undefined) this.holders.delete(oldest);
  }

  /** A registry was found not to have what is remembered of it. */
  forget(registry: string): void {
    for (const key of this.holders.keys())
      if (key.startsWith(`${registry}@`)) this.holders.delete(key);
  }
}

function keyOf({ client }: Repository, digest: Digest): string {
  return `${client.registry}@${digest}`;
}
