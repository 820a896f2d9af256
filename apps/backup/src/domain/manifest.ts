import { isUtf8 } from 'node:buffer';
import { createHash } from 'node:crypto';
import { z } from 'zod';
import { dataConsistency, sha256, stepPlace } from '#contracts';
import type { DataEntry } from '#drivers/core';
import { canonicalJson, digestOf, writeCanonicalJson } from '#kernel';
import { RESTIC_FROM_BACKUP } from '../repository/restic/restic-place.js';

const dataEntry = z.strictObject({
  path: z.string(),
  type: z.enum(['file', 'directory', 'symlink', 'fifo', 'socket', 'character', 'block']),
  mode: z.string(),
  uid: z.number().int(),
  gid: z.number().int(),
  size: z.number().int().min(0),
  mtime: z.string(),
  sha256: z.string().optional(),
  linkTarget: z.string().optional(),
  sameFileAs: z.string().optional(),
  changed: z.string().optional(),
  allocated: z.number().int().min(0).optional(),
  device: z.string().optional(),
  attributes: z.record(z.string(), z.string()).optional(),
}) satisfies z.ZodType<DataEntry>;

/** All but the entries. */
const manifestHead = z.strictObject({
  /**
   * Of this format: what a later one has is optional here, so that all are read. 3 is what lay in a folder, 4 what is encrypted, 5 what was paused, had
   * the application's help, or is fuzzy, 6 whose archive restic keeps. docs/backup-format.md says what each has.
   */
  version: z.literal([1, 2, 3, 4, 5, 6]),
  backup: z.string(),
  environment: z.string(),
  application: z.string(),
  /** `<component>@<target>` */
  instance: z.string(),
  upgrade: z.string(),
  stepId: z.string(),
  token: z.number().int(),
  createdAt: z.string(),
  consistency: dataConsistency,
  source: z.strictObject({
    target: stepPlace,
    container: z.string(),
    containerId: z.string(),
    paths: z.array(z.string()),
    /** Of the backup service's machine, that the paths are below. */
    folder: z.string().optional(),
    image: z
      .strictObject({ reference: z.string(), id: z.string(), digests: z.array(z.string()) })
      .optional(),
    /** Volumes and binds that held the paths. */
    mounts: z
      .array(
        z.strictObject({
          destination: z.string(),
          kind: z.enum(['volume', 'bind']),
          source: z.string(),
        }),
      )
      .optional(),
  }),
  /** How it was seen to that nothing changed meanwhile. */
  quiesced: z
    .strictObject({
      /**
       * `stopped`: nothing that mounts the data ran, before and after. `paused`: what ran on it stood still all the while. `running`: the data was
       * listed before and after; what was not the same is `fuzzy`.
       */
      how: dataConsistency,
      /** The application's own commands around the reading. */
      hooks: z
        .strictObject({ before: z.string().optional(), after: z.string().optional() })
        .optional(),
      /** Names of what ran on the data. */
      ran: z.array(z.string()),
      startedAt: z.string(),
      endedAt: z.string(),
    })
    .optional(),
  /** Changed while it was read: each of these is as some moment of the reading had it, and they need not fit together. */
  fuzzy: z.strictObject({ entries: z.number().int().min(1), some: z.array(z.string()) }).optional(),
  archive: z.strictObject({
    /** Name in the manifest's folder. */
    file: z.string().regex(/^data\.[a-z0-9.]+$/),
    format: z.string(),
    /** Names and versions of what made it. */
    tools: z.record(z.string(), z.string()),
    bytes: z.number().int().min(0),
    sha256,
    /** Where it lies that is no file beside the manifest: the file of a snapshot of restic. */
    restic: z
      .strictObject({
        /** Relative to the manifest's folder. */
        repository: z.literal(RESTIC_FROM_BACKUP),
        snapshot: z.string().regex(/^[0-9a-f]{64}$/),
        /** Bytes of it that were in no earlier snapshot, before restic compressed them. */
        addedBytes: z.number().int().min(0),
      })
      .optional(),
  }),
  /** Regular files, and the bytes in them. */
  files: z.number().int().min(0),
  bytes: z.number().int().min(0),
  /** Entries by their type. */
  counts: z.partialRecord(dataEntry.shape.type, z.number().int().min(1)).optional(),
  /** Bytes that all of it took on its disks: holes take nothing, a file with several names is counted once. */
  spaceBytes: z.number().int().min(0).optional(),
});

/** Everything that the archive holds, sorted by path. */
const entries = z.array(dataEntry);
const manifestBody = manifestHead.extend({ entries });
export type ManifestBody = z.infer<typeof manifestBody>;

/** What stands in the entries' place where they are nobody's business: names tell much, and hashes tell who has the same file. */
const sealedEntries = z.strictObject({
  /** What the archive and the entries are encrypted as. */
  format: z.literal('age-encryption.org/v1'),
  /** Whose keys open them. */
  recipients: z.array(z.string()).min(1),
  /** base64 of the encrypted, gzipped, canonical JSON of the entries. */
  entries: z.base64(),
});
export type SealedEntries = z.infer<typeof sealedEntries>;

/** What a backup is: beside the archive, in `manifest.json`. */
const storedManifest = manifestHead.extend({
  entries: entries.optional(),
  sealed: sealedEntries.optional(),
  /** Over all the rest. */
  digest: sha256,
});
/** As it lies in the repository: with its entries, or with them sealed. */
export type StoredManifest = z.infer<typeof storedManifest>;
export type Manifest = StoredManifest & Pick<ManifestBody, 'entries'>;

/** Files and their bytes. */
export function countFiles(all: readonly DataEntry[]): { files: number; bytes: number } {
  const files = all.filter(({ type }) => type === 'file');
  return { files: files.length, bytes: files.reduce((sum, { size }) => sum + size, 0) };
}

export function countTypes(all: readonly DataEntry[]): Partial<Record<DataEntry['type'], number>> {
  const counts: Partial<Record<DataEntry['type'], number>> = {};
  for (const { type } of all) counts[type] = (counts[type] ?? 0) + 1;
  return counts;
}

/** The least that can say what a manifest says: services of before read what they can. */
export function versionFor({
  quiesced,
  fuzzy,
  source,
  sealed,
  archive,
}: Pick<StoredManifest, 'quiesced' | 'fuzzy' | 'sealed'> & {
  readonly source: Pick<ManifestBody['source'], 'folder'>;
  readonly archive: Pick<ManifestBody['archive'], 'restic'>;
}): 2 | 3 | 4 | 5 | 6 {
  if (archive.restic !== undefined) return 6;
  if (quiesced?.how === 'paused' || quiesced?.hooks !== undefined || fuzzy !== undefined) return 5;
  if (sealed !== undefined) return 4;
  return source.folder === undefined ? 2 : 3;
}

export function sealManifest(body: ManifestBody): Manifest {
  const parsed = checked(manifestBody, body);
  if (!parsed.success) throw parsed.error;
  return { ...parsed.data, digest: digestOf(parsed.data) };
}

/** The same backup's, with its entries where only its recipients find them. */
export function withSealedEntries(
  { entries: _entries, digest: _digest, ...head }: Manifest,
  sealed: SealedEntries,
): StoredManifest {
  const body = {
    ...head,
    // names, too
    ...(head.fuzzy === undefined ? {} : { fuzzy: { ...head.fuzzy, some: [] } }),
    version: versionFor({ ...head, sealed }),
    sealed,
  };
  return { ...body, digest: digestOf(body) };
}

export function entriesText(all: readonly DataEntry[]): string {
  return canonicalJson(all);
}

/** @returns nothing when the text is no list of entries */
export function parseEntries(text: string): DataEntry[] | undefined {
  try {
    const found: unknown = JSON.parse(text);
    return areEntries(found) ? found : undefined;
  } catch {
    return undefined;
  }
}

export function manifestBytes(stored: StoredManifest): Buffer {
  const pieces: Buffer[] = [];
  writeCanonicalJson(stored, (piece) => pieces.push(Buffer.from(piece)));
  return Buffer.concat([...pieces, Buffer.from('\n')]);
}

/**
 * The manifest, or what is wrong with it. The bytes must be what we write: not one flipped bit goes unseen, be it in white space.
 */
export function parseManifest(
  bytes: Buffer,
): { readonly manifest: StoredManifest } | { readonly problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(bytes.toString('utf8'));
  } catch {
    return { problem: 'is not JSON' };
  }
  const parsed = checked(storedManifest, json);
  if (!parsed.success) {
    return {
      problem: `is not a manifest of version 1 to 6: ${parsed.error.issues[0]?.message ?? 'unknown'}`,
    };
  }
  const body = parsed.data;
  const isSealed = body.sealed !== undefined;
  // of version 1 is what has nothing of any later one
  const isAsNumbered = Math.max(body.version, 2) === versionFor(body);
  if (!isAsNumbered || isSealed !== (body.entries === undefined))
    return { problem: `has not what one of version ${body.version} has` };
  if (!isAsWritten(bytes)) return { problem: 'is not what its digest was made of' };
  return { manifest: body };
}

/**
 * As `schema.safeParse`, which copies all that it finds good: of the entries, which may be many, the copies are not held, and what was given is
 * what is returned.
 */
function checked<T extends { entries?: DataEntry[] | undefined }>(
  schema: z.ZodType<T>,
  value: unknown,
): z.ZodSafeParseResult<T> {
  const found: unknown = value instanceof Object && 'entries' in value ? value.entries : undefined;
  // what is wrong is told in one way
  if (!areEntries(found)) return schema.safeParse(value);
  const parsed = schema.safeParse({ ...(value as object), entries: [] });
  if (parsed.success) parsed.data.entries = found;
  return parsed;
}

function areEntries(value: unknown): value is DataEntry[] {
  return Array.isArray(value) && value.every((one) => dataEntry.safeParse(one).success);
}

const DIGEST = '"digest":"';
/** From its beginning on. */
const DIGEST_MEMBER = /^"digest":"(sha256:[0-9a-f]{64})",/;
/** Bytes that hold all of it. */
const LOOK = 100;

/**
 * Whether the digest that stands in a manifest is of all the rest of it, but for the end of its line. The rest is hashed as it stands: to write it
 * anew takes many times as long, and what is not as we write it has another digest.
 */
function isAsWritten(bytes: Buffer): boolean {
  if (!isUtf8(bytes) || bytes.toString('latin1', bytes.length - 2) !== '}\n') return false;
  for (let at = bytes.indexOf(DIGEST); at >= 0; at = bytes.indexOf(DIGEST, at + 1)) {
    const member = DIGEST_MEMBER.exec(bytes.toString('latin1', at, at + LOOK));
    if (member === null) continue;
    const [all, digest] = member;
    const hash = createHash('sha256')
      .update(bytes.subarray(0, at))
      .update(bytes.subarray(at + all.length, -1));
    return digest === `sha256:${hash.digest('hex')}`;
  }
  return false;
}
