import { readFileSync } from 'node:fs';
import semver from 'semver';
import { z } from 'zod';
import { LiftlockError } from '#kernel';
import { issuesOf, parseYaml } from '#source';

const registry = z.strictObject({
  /** TLS is not checked, plain HTTP is spoken where there is none. */
  insecure: z.boolean().optional(),
  /** PEM file of the CA. */
  ca: z.string().optional(),
  clientCertificate: z.strictObject({ cert: z.string(), key: z.string() }).optional(),
  bytesPerSecond: z.number().int().min(1).optional(),
});

const pattern = z.string().refine((text) => {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}, 'is not a regular expression');

const image = z
  .strictObject({
    /** A repository, an image with tag or digest, or an archive (`oci-archive:PATH:NAME`). */
    from: z.string().min(1),
    /** Repository at the target; default: the source's path below `target`. */
    to: z.string().min(1).optional(),
    /** Tags to copy; with neither these nor `match` and `semver`: the one of `from`, else `latest`. */
    tags: z.array(z.string()).optional(),
    /** Tags that match this regular expression. */
    match: pattern.optional(),
    /** Tags that are versions in this range, as npm writes them: `>=1.30 <2`. */
    semver: z
      .string()
      .refine((text) => semver.validRange(text) !== null, 'is not a range of versions')
      .optional(),
    /** The newest so many of those that `match` and `semver` leave. */
    newest: z.number().int().min(1).optional(),
    platforms: z.array(z.string()).optional(),
    referrers: z.boolean().optional(),
  })
  .refine(
    ({ tags, match, semver: range }) =>
      tags === undefined || (match === undefined && range === undefined),
    'tags, or match and semver, not both',
  );

const syncFile = z.strictObject({
  /** Where all goes that does not say otherwise: `mirror.example/team`. */
  target: z.string().min(1).optional(),
  registries: z.record(z.string(), registry).default({}),
  /** For all registries together. */
  bytesPerSecond: z.number().int().min(1).optional(),
  /** Images copied at the same time; default 4. */
  parallel: z.number().int().min(1).max(64).default(4),
  images: z.array(image).min(1),
});
export type SyncFile = z.infer<typeof syncFile>;
export type SyncImage = SyncFile['images'][number];

/** @throws LiftlockError `invalid_request` that names each line that is wrong */
export function readSyncFile(file: string): SyncFile {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new LiftlockError(
      'invalid_request',
      `${file} cannot be read (${(error as NodeJS.ErrnoException).code ?? ''})`,
      { cause: error },
    );
  }
  const [source, ...more] = parseYaml(text);
  if (source === undefined || more.length > 0)
    throw new LiftlockError('invalid_request', `${file} must hold one document`);
  const parsed = syncFile.safeParse(source.value);
  if (parsed.success) return parsed.data;
  throw new LiftlockError('invalid_request', `${file} is not a list of images to mirror`, {
    issues: issuesOf(parsed.error, source),
  });
}

/** Tags that stand for what refers to an image, which comes along with the image. */
const OF_ANOTHER = /^sha(?:256|512)-[0-9a-f]{64,128}(?:\.\w+)?$/;

/** Those of a repository's tags that an entry is about. */
export function selectTags(
  all: readonly string[],
  { match, semver: range, newest }: SyncImage,
): string[] {
  const expression = match === undefined ? undefined : new RegExp(match);
  const chosen = all
    .filter((tag) => !OF_ANOTHER.test(tag))
    .filter((tag) => expression === undefined || expression.test(tag))
    .map((tag) => ({ tag, version: versionIn(tag) }))
    .filter(
      ({ version }) =>
        range === undefined || (version !== undefined && semver.satisfies(version, range)),
    );
  if (newest === undefined) return chosen.map(({ tag }) => tag);
  return chosen
    .flatMap(({ tag, version }) => (version === undefined ? [] : [{ tag, version }]))
    .toSorted((a, b) => semver.rcompare(a.version, b.version))
    .slice(0, newest)
    .map(({ tag }) => tag);
}

/** `v1.30.2` and, as many images have it, `15.4`, which is 15.4.0. One number alone (`16`) names no version, but the newest of many. */
function versionIn(tag: string): string | undefined {
  const short = /^[v=]?(\d+\.\d+)(-.*)?$/.exec(tag);
  const whole = short === null ? tag : `${short[1] ?? ''}.0${short[2] ?? ''}`;
  return semver.valid(whole, { loose: true }) ?? undefined;
}
