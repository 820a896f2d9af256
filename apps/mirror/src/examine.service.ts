import { Injectable } from '@nestjs/common';
import {
  errorShape,
  matchesImage,
  type ImageAnswer,
  type ImageQuestion,
  type MirrorSpec,
  type QueryData,
  type RegistryAccess,
  type TrustRule,
} from '#contracts';
import { LiftlockError } from '#kernel';
import {
  ArchiveSource,
  parseManifest,
  parseReference,
  RegistrySource,
  targetOf,
  type ImageSource,
  type RawManifest,
  type Reference,
  type Registries,
} from '#oci';
import { placeInMirror } from './domain/mirror-place.js';
import { isOutOfReach } from './out-of-reach.js';
import { openSource } from './registries/open-source.js';
import { RegistryPool } from './registries/registry-pool.js';
import { assertTrusted } from './trust.js';

/** For all images of one question: whoever asks waits for 45 s. */
const DEADLINE_MS = 30_000;

interface Asked {
  readonly reference: Reference;
  /** Where it is to be mirrored to; nothing: it is not. */
  readonly mirror: MirrorSpec | undefined;
  readonly rules: readonly TrustRule[];
}

/** Looks at images before anything is planned with them: their digests, and whether they may be trusted. */
@Injectable()
export class ExamineService {
  constructor(private readonly pool: RegistryPool) {}

  async examine({
    mirror,
    trust,
    images,
  }: QueryData<'examine-images'>): Promise<{ items: ImageAnswer[] }> {
    const deadline = new LiftlockError(
      'registry_unreachable',
      `the registries did not answer within ${DEADLINE_MS / 1_000} s`,
    );
    const controller = new AbortController();
    const timer = setTimeout(() => controller.abort(deadline), DEADLINE_MS);
    try {
      const items = await this.pool.use(accessOf(mirror), (registries) =>
        Promise.all(
          images.map(async (image): Promise<ImageAnswer> => {
            try {
              return await answer(registries, image, { mirror, trust }, controller.signal);
            } catch (thrown) {
              const error = controller.signal.aborted ? deadline : LiftlockError.from(thrown);
              return { outcome: 'refused', error: errorShape.parse(error.toShape()) };
            }
          }),
        ),
      );
      return { items };
    } finally {
      clearTimeout(timer);
    }
  }
}

/** How the mirror and what it copies from are reached, by host. */
function accessOf(mirror: MirrorSpec | undefined): Record<string, RegistryAccess> {
  if (mirror === undefined) return {};
  const { registry, insecure, credentials, bytesPerSecond, sources } = mirror;
  return { ...sources, [registry]: { insecure, credentials, bytesPerSecond } };
}

async function answer(
  registries: Registries,
  image: ImageQuestion,
  spec: { readonly mirror: MirrorSpec | undefined; readonly trust: readonly TrustRule[] },
  signal: AbortSignal,
): Promise<ImageAnswer> {
  const reference = parseReference(image.reference);
  const name = `${reference.registry}/${reference.repository}`;
  const { mirror } = spec;
  const isMirrored =
    mirror !== undefined &&
    (image.archive !== undefined || reference.registry !== mirror.registry) &&
    mirror.images.some((pattern) => matchesImage(pattern, name));
  const rules = spec.trust.filter(({ images }) => matchesImage(images, name));
  if (!isMirrored && rules.length === 0) return { outcome: 'left' };
  if (!isMirrored && image.archive !== undefined)
    throw new LiftlockError(
      'image_untrusted',
      `${image.archive}: the signature of an image in an archive (trust rule ${rules[0]?.images ?? ''}) is checked on its way into a mirror only: give the environment spec.mirror`,
    );
  const asked: Asked = { reference, rules, mirror: isMirrored ? mirror : undefined };
  const { source, raw, warnings } = await find(registries, image, asked, signal);
  const found = await assertTrusted(source, raw, rules, signal);
  if (reference.digest !== undefined && raw.digest !== reference.digest)
    throw new LiftlockError(
      'image_corrupt',
      `${source.name} holds ${raw.digest}, and the release says ${image.reference}: correct the digest, or bring the right image`,
      { details: { expected: reference.digest, found: raw.digest } },
    );
  const manifest = parseManifest(raw, `${source.name}@${raw.digest}`);
  return {
    outcome: 'found',
    digest: raw.digest,
    name,
    imageIds:
      manifest.kind === 'image' && manifest.config !== undefined ? [manifest.config.digest] : [],
    ...(asked.mirror === undefined
      ? {}
      : { target: placeInMirror(asked.mirror, reference, raw.digest) }),
    warnings: [...warnings, ...found],
  };
}

interface Found {
  readonly source: ImageSource;
  readonly raw: RawManifest;
  readonly warnings: readonly string[];
}

/** Where it comes from; where that is out of reach, the mirror, which may have it by its digest. */
async function find(
  registries: Registries,
  image: ImageQuestion,
  { reference, mirror }: Asked,
  signal: AbortSignal,
): Promise<Found> {
  try {
    const source = await openSource(
      registries,
      { source: image.reference, archive: image.archive },
      signal,
    );
    const wanted = source instanceof ArchiveSource ? nameIn(source, image) : targetOf(reference);
    const raw = await source.manifest(wanted, signal);
    return { source, raw, warnings: [] };
  } catch (thrown) {
    const { digest } = reference;
    if (mirror === undefined || digest === undefined || !isOutOfReach(thrown)) throw thrown;
    const place = parseReference(placeInMirror(mirror, reference, digest).repository);
    const source = new RegistrySource(registries.repository(place));
    const raw = await source.manifest(digest, signal).catch(() => undefined);
    if (raw === undefined) throw thrown;
    const why = LiftlockError.from(thrown).message;
    return { source, raw, warnings: [`${image.reference} is in the mirror; its source: ${why}`] };
  }
}

/** The one image of an archive needs no name; of several it is the one that has it. */
function nameIn(archive: ArchiveSource, { reference }: ImageQuestion): string | undefined {
  const digests = new Set(archive.images.map(({ descriptor }) => descriptor.digest));
  return digests.size === 1 ? undefined : reference.replace(/@.*$/, '');
}
