import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import type { RawManifest } from '../manifest.js';
import { readBlob } from '../registry/blob-reader.js';
import { referrersOf, referrersTag } from '../registry/referrers.js';
import type { Repository } from '../registry/repository.js';
import type { ImageSource } from './image-source.js';

/** A repository as a source. It lists its tags once, where many would have to be asked for one by one. */
export class RegistrySource implements ImageSource {
  readonly isRemote = true;
  private tags: Promise<ReadonlySet<string> | undefined> | undefined;

  constructor(private readonly repository: Repository) {}

  get name(): string {
    return this.repository.address;
  }

  get home(): { registry: string; repository: string } {
    return { registry: this.repository.client.registry, repository: this.repository.name };
  }

  manifest(target: string | undefined, signal?: AbortSignal): Promise<RawManifest> {
    return this.repository.manifest(target ?? 'latest', signal);
  }

  async tagged(tag: string, signal?: AbortSignal): Promise<RawManifest | undefined> {
    const known = await this.listed(signal);
    if (known?.has(tag) === false) return undefined;
    try {
      return await this.repository.manifest(tag, signal);
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'image_missing') return undefined;
      throw error;
    }
  }

  async referrers(digest: Digest, signal?: AbortSignal): Promise<readonly Descriptor[]> {
    return referrersOf(this.repository, digest, {
      signal,
      mayBeTagged: async () => (await this.listed(signal))?.has(referrersTag(digest)) !== false,
    });
  }

  read(
    blob: Pick<Descriptor, 'digest' | 'size'>,
    options: { readonly offset?: number; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<Buffer, void, undefined> {
    return readBlob(this.repository, blob, options);
  }

  /** Undefined where the registry does not tell: then each is asked for. */
  private listed(signal: AbortSignal | undefined): Promise<ReadonlySet<string> | undefined> {
    this.tags ??= this.repository.tags(signal).then(
      (tags) => new Set(tags),
      (error: unknown) => {
        if (signal?.aborted === true) {
          this.tags = undefined;
          throw error;
        }
        return undefined;
      },
    );
    return this.tags;
  }
}
