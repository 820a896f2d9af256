import type { Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import type { RawManifest } from '../manifest.js';
import type { BlobSource } from '../registry/blob-source.js';

/** Where images are copied from: a repository of a registry, or an archive. */
export interface ImageSource extends BlobSource {
  /** @param target a tag or a digest; undefined: the one image that there is @throws LiftlockError `image_missing` */
  manifest(target: string | undefined, signal?: AbortSignal): Promise<RawManifest>;
  /** The same, undefined when there is no such tag. */
  tagged(tag: string, signal?: AbortSignal): Promise<RawManifest | undefined>;
  /** What says of itself that its subject is this digest. */
  referrers(digest: Digest, signal?: AbortSignal): Promise<readonly Descriptor[]>;
  /** Where blobs may be mounted from, when the target is the same registry. */
  readonly home?: { readonly registry: string; readonly repository: string };
}
