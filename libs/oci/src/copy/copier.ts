import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import { hasCode } from '../http/failures.js';
import { parseManifest, type RawManifest } from '../manifest.js';
import { isManifestType, isNonDistributable } from '../media-types.js';
import { cosignTags } from '../registry/referrers.js';
import type { Repository } from '../registry/repository.js';
import type { BlobClaims } from './blob-claims.js';
import { BlobCopier } from './blob-copier.js';
import type { ImageSource } from './image-source.js';
import { selectPlatforms, type PlatformFilter } from './platforms.js';
import type { BlobOutcome, CopyProgress } from './progress.js';
import { noteReferrers } from './referrers-tag.js';

export interface CopyJob {
  readonly source: ImageSource;
  /** Tag or digest at the source; default: the archive's only image, or `latest`. */
  readonly reference?: string | undefined;
  readonly target: Repository;
  /** Tags that the image gets at the target; none: it is there by its digest only. */
  readonly tags: readonly string[];
  /** Of an index only these; the index itself stays what it is. Default: all. */
  readonly platforms?: readonly PlatformFilter[] | undefined;
  /** Signatures, SBOMs, attestations and whatever else refers to it come along; default true. */
  readonly referrers?: boolean | undefined;
  /** Looks at everything that an index names at the target, although it has the index already. Default false. */
  readonly thorough?: boolean | undefined;
  /** Called with the image before anything of it is written to a tag: throws what forbids it. */
  readonly admit?: ((image: RawManifest, source: ImageSource) => Promise<void>) | undefined;
  /** Awaited when all is at the target, before the first tag is written: throws what forbids it. */
  readonly beforeTag?: (() => Promise<void>) | undefined;
  readonly progress?: CopyProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface CopyResult {
  readonly digest: Digest;
  readonly mediaType: string;
  /** `there`: the target had all of it, with its tags. */
  readonly found: 'there' | 'copied';
  readonly blobs: Readonly<Record<BlobOutcome, number>>;
  /** Bytes of the blobs that were uploaded. */
  readonly bytes: number;
  /** Manifests that refer to the image, at the target by now. */
  readonly referrers: number;
}

/** Signatures of signatures of signatures end here. */
const MAX_DEPTH = 8;

/** Copies images into registries. One for a process: what several jobs want at the same time is fetched once. */
export class Copier {
  private readonly blobs: BlobCopier;

  /** @param claims shared with other processes that write to the same registries; default: there are none */
  constructor(claims?: BlobClaims) {
    this.blobs = new BlobCopier(claims);
  }

  async copy(job: CopyJob): Promise<CopyResult> {
    const once = new ImageCopy(job, this.blobs);
    try {
      return await once.run();
    } catch (error) {
      if (!isMissingPart(error)) throw error;
      // what was remembered of the registry is not true any more: it has cleared up
      this.blobs.known.forget(job.target.client.registry);
      try {
        return await new ImageCopy(job, this.blobs).run();
      } catch (again) {
        throw isMissingPart(again) ? (refusedFor(job, once, again) ?? again) : again;
      }
    }
  }
}

/** The registry says that a manifest names something that it does not have. */
function isMissingPart(error: unknown): boolean {
  return hasCode(error, 'MANIFEST_BLOB_UNKNOWN');
}

/** Why a registry that has all that was sent says that something is missing; undefined where nobody knows. */
function refusedFor(
  { platforms, target }: CopyJob,
  { leavesOut }: ImageCopy,
  cause: unknown,
): LiftlockError | undefined {
  const { registry } = target.client;
  const why = leavesOut
    ? `takes no image of which layers are elsewhere (non-distributable): allow their addresses there (validation.manifests.urls.allow for docker-registry)`
    : platforms === undefined
      ? undefined
      : `takes no index of which some images are missing: copy all platforms, or name the one image by its digest`;
  return why === undefined
    ? undefined
    : new LiftlockError('registry_refused', `${registry} ${why}`, { cause });
}

/** One image's way. */
class ImageCopy {
  /** An image has layers that may not be sent: who runs it takes them from elsewhere. */
  leavesOut = false;
  private readonly counts: Record<BlobOutcome, number> = { there: 0, mounted: 0, uploaded: 0 };
  private readonly seen = new Map<string, Promise<void>>();
  private bytes = 0;
  private referrers = 0;
  private written = false;
  private failed: unknown;
  /** Ends what is still under way for an image that has failed already. */
  private readonly stop = new AbortController();
  private readonly job: CopyJob;

  constructor(
    job: CopyJob,
    private readonly blobs: BlobCopier,
  ) {
    const signals = job.signal === undefined ? [] : [job.signal];
    this.job = { ...job, signal: AbortSignal.any([...signals, this.stop.signal]) };
  }

  async run(): Promise<CopyResult> {
    try {
      return await this.all();
    } catch (error) {
      // whoever was called back for it says less than the one who failed
      throw this.failed ?? error;
    }
  }

  private async all(): Promise<CopyResult> {
    const { source, target, tags, reference, signal } = this.job;
    const [first] = tags;
    // both at once: they are two registries, most of the time
    const [root, present] = await Promise.all([
      source.manifest(reference, signal),
      first === undefined ? undefined : target.find(first, signal),
    ]);
    await this.job.admit?.(root, source);
    const wanted = tags.length === 0 ? [root.digest] : tags;
    const missing: string[] = [];
    await this.each(wanted, async (name) => {
      const found = name === first ? present : await target.find(name, signal);
      if (found?.digest !== root.digest) missing.push(name);
    });
    const complete =
      missing.length < wanted.length &&
      this.job.thorough !== true &&
      this.job.platforms === undefined;
    await this.each(
      [
        async () => (complete ? undefined : this.parts(root)),
        async () => (this.job.referrers === false ? undefined : this.companions(root, 0)),
      ],
      (part) => part(),
    );
    if (missing.length > 0) await this.job.beforeTag?.();
    for (const name of missing) await this.write(name, root);
    await this.each(missing, (name) => this.readBack(name, root));
    return {
      digest: root.digest,
      mediaType: root.mediaType,
      found: this.written ? 'copied' : 'there',
      blobs: this.counts,
      bytes: this.bytes,
      referrers: this.referrers,
    };
  }

  /** All that a manifest names is at the target; itself not yet. */
  private async parts(raw: RawManifest): Promise<void> {
    const { source, target, signal } = this.job;
    const manifest = parseManifest(raw, `${source.name}@${raw.digest}`);
    if (manifest.kind === 'image') {
      const config = manifest.config === undefined ? [] : [manifest.config];
      const named = unique([...manifest.layers, ...config]);
      const blobs = named.filter(({ mediaType }) => !isNonDistributable(mediaType));
      if (blobs.length < named.length) this.leavesOut = true;
      for (const blob of blobs) this.job.progress?.found(blob);
      await this.each(blobs, (blob) => this.blob(blob));
      return;
    }
    const entries = selectPlatforms(unique(manifest.manifests), this.job.platforms ?? []);
    await this.each(entries, async (entry) => {
      // what an index names that is no manifest is kept as a blob
      if (!isManifestType(entry.mediaType)) return this.blob(entry);
      await this.once(entry.digest, async () => {
        const there = await target.find(entry.digest, signal);
        if (there !== undefined && this.job.thorough !== true && this.job.platforms === undefined)
          return;
        const child = await source.manifest(entry.digest, signal);
        await this.parts(child);
        if (there === undefined) await this.write(child.digest, child);
      });
    });
  }

  private async blob(blob: Descriptor): Promise<void> {
    const { source, target, progress, signal } = this.job;
    await this.once(blob.digest, async () => {
      const outcome = await this.blobs.copy(source, target, blob, progress, signal);
      progress?.finished(blob, outcome);
      this.counts[outcome] += 1;
      if (outcome === 'uploaded') this.bytes += blob.size;
    });
  }

  private async write(name: string, raw: RawManifest): Promise<boolean> {
    this.written = true;
    return (await this.job.target.putManifest(name, raw, this.job.signal)).subjectNoted;
  }

  private async readBack(name: string, root: RawManifest): Promise<void> {
    const { target, signal } = this.job;
    const found = await target.find(name, signal);
    if (found?.digest === root.digest) return;
    throw new LiftlockError(
      'image_corrupt',
      `${target.address}:${name} was written as ${root.digest} and reads as ${found?.digest ?? 'nothing'}: somebody else writes this tag, or the registry changes what it is given`,
      { retryable: true, details: { expected: root.digest, found: found?.digest } },
    );
  }

  /** What refers to a manifest, and what cosign keeps beside it; with what refers to those. */
  private async companions(raw: RawManifest, depth: number): Promise<void> {
    if (depth > MAX_DEPTH) return;
    await this.once(`companions of ${raw.digest}`, async () => {
      await this.each(
        [() => this.referring(raw.digest, depth), () => this.besides(raw.digest)],
        (part) => part(),
      );
      const manifest = parseManifest(raw, `${this.job.source.name}@${raw.digest}`);
      if (manifest.kind !== 'index') return;
      const images = selectPlatforms(unique(manifest.manifests), this.job.platforms ?? []);
      await this.each(images, async ({ digest, mediaType }) => {
        if (!isManifestType(mediaType)) return;
        await this.each([() => this.referring(digest, depth), () => this.besides(digest)], (part) =>
          part(),
        );
      });
    });
  }

  private async referring(subject: Digest, depth: number): Promise<void> {
    const { source, target, signal } = this.job;
    const referrers = unique(await source.referrers(subject, signal));
    const unnoted: Descriptor[] = [];
    await this.each(referrers, async (referrer) => {
      await this.once(referrer.digest, async () => {
        const raw = await source.manifest(referrer.digest, signal);
        await this.companions(raw, depth + 1);
        if ((await target.find(referrer.digest, signal)) === undefined) {
          await this.parts(raw);
          if (!(await this.write(raw.digest, raw))) unnoted.push(referrer);
        } else unnoted.push(referrer);
        this.referrers += 1;
      });
    });
    if (unnoted.length > 0 && (await noteReferrers(target, subject, unnoted, signal)))
      this.written = true;
  }

  private async besides(subject: Digest): Promise<void> {
    const { source, target, signal } = this.job;
    await this.each(cosignTags(subject), async (tag) => {
      const raw = await source.tagged(tag, signal);
      if (raw === undefined) return;
      this.referrers += 1;
      if ((await target.find(tag, signal))?.digest === raw.digest) return;
      await this.parts(raw);
      await this.write(tag, raw);
      await this.readBack(tag, raw);
    });
  }

  /** All at the same time. When one fails the others are called back and awaited: nothing goes on behind the caller's back. */
  private async each<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
    const guarded = items.map(async (item) => {
      try {
        await work(item);
      } catch (error) {
        this.failed ??= error;
        this.stop.abort(error);
        throw error;
      }
    });
    const ends = await Promise.allSettled(guarded);
    if (ends.some(({ status }) => status === 'rejected')) throw this.failed;
  }

  /** An image names many things twice. */
  private once(key: string, work: () => Promise<void>): Promise<void> {
    const known = this.seen.get(key);
    if (known !== undefined) return known;
    const doing = work();
    this.seen.set(key, doing);
    return doing;
  }
}

function unique(descriptors: readonly Descriptor[]): Descriptor[] {
  return [...new Map(descriptors.map((one) => [one.digest, one])).values()];
}
