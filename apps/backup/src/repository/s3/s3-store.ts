import type { SecretStore } from '#drivers/core';
import { foldersOf, keyOfFolders, type ApplicationKey, type BackupKey } from '../backup-key.js';
import { RESTIC, type ResticPlace } from '../restic/restic-place.js';
import { MANIFEST, type AtRest, type Store, type StoredFolder } from '../store.js';
import { S3Bucket, type S3Object } from './s3-bucket.js';
import { S3Folder } from './s3-folder.js';
import { S3Place } from './s3-place.js';
import type { S3Options } from './s3-options.js';

/** Milliseconds for which an archive without a manifest is left alone: its manifest may be on its way. */
const YOUNG_MS = 3_600_000;
/** After which it is nobody's, whether its upgrade is known here or not: a removal was cut off. */
const OLD_MS = 7 * 24 * YOUNG_MS;

interface Found {
  readonly key: BackupKey;
  readonly archives: S3Object[];
  counts: boolean;
}

/** A bucket of an S3-compatible store, or what is below one prefix of it. */
export class S3Store implements Store {
  readonly location: string;
  private readonly bucket: S3Bucket;
  /** With `/` at its end, or empty. */
  private readonly prefix: string;

  constructor(
    private readonly options: S3Options,
    secrets: SecretStore,
    private readonly now: () => number = Date.now,
  ) {
    this.bucket = new S3Bucket(options, secrets);
    this.prefix = options.prefix === '' ? '' : `${options.prefix}/`;
    this.location = this.bucket.locationOf(options.prefix);
  }

  folder(key: BackupKey): StoredFolder {
    return new S3Folder(this.bucket, this.prefixOf(key));
  }

  async *scan(): AsyncGenerator<BackupKey> {
    for await (const { key } of this.bucket.list(this.prefix)) {
      const placed = this.placeOf(key);
      if (placed?.file === MANIFEST) yield placed.key;
    }
  }

  async sweep(isAtRest: AtRest): Promise<string[]> {
    const swept: string[] = [];
    for (const upload of await this.bucket.uploads(this.prefix)) {
      const upgrade = this.placeOf(upload.key)?.key.upgrade;
      if (upgrade === undefined || !(await isAtRest(upgrade))) continue;
      await this.bucket.giveUp(upload);
      swept.push(this.bucket.locationOf(upload.key));
    }
    for (const archive of await this.leftOver(isAtRest)) {
      await this.bucket.delete([archive.key]);
      swept.push(this.bucket.locationOf(archive.key));
    }
    return swept;
  }

  restic({ environment, application }: ApplicationKey): ResticPlace {
    const prefix = `${this.prefix}${environment}/${application}/${RESTIC}/`;
    return new S3Place(this.bucket, this.options, prefix);
  }

  async *resticPlaces(): AsyncGenerator<ApplicationKey> {
    for await (const { key } of this.bucket.list(this.prefix)) {
      const [environment = '', application = '', ...rest] = key
        .slice(this.prefix.length)
        .split('/');
      if (rest.join('/') === `${RESTIC}/config`) yield { environment, application };
    }
  }

  /** A bucket ends where its bill does. */
  freeBytes(): Promise<undefined> {
    return Promise.resolve(undefined);
  }

  private async leftOver(isAtRest: AtRest): Promise<S3Object[]> {
    const left: S3Object[] = [];
    for (const { key, archives, counts } of await this.found()) {
      // the one archive of a backup that counts is its own
      if (counts && archives.length < 2) continue;
      const old: S3Object[] = [];
      for (const archive of archives) {
        const age = this.now() - archive.modified.getTime();
        if (age > OLD_MS || (age > YOUNG_MS && (await isAtRest(key.upgrade)))) old.push(archive);
      }
      if (old.length === 0) continue;
      // looked at again: a manifest may have come meanwhile
      const manifest = await this.folder(key).manifest();
      const named = manifest === undefined ? [] : archiveIn(manifest);
      // of one that cannot be read, something may yet be saved
      if (named === undefined) continue;
      left.push(...old.filter((archive) => !named.includes(this.placeOf(archive.key)?.file ?? '')));
    }
    return left;
  }

  private async found(): Promise<Iterable<Found>> {
    const found = new Map<string, Found>();
    for await (const object of this.bucket.list(this.prefix)) {
      const placed = this.placeOf(object.key);
      if (placed === undefined) continue;
      const name = this.prefixOf(placed.key);
      const one = found.get(name) ?? { key: placed.key, archives: [], counts: false };
      found.set(name, one);
      if (placed.file === MANIFEST) one.counts = true;
      else if (placed.file.startsWith('data.')) one.archives.push(object);
    }
    return found.values();
  }

  private prefixOf(key: BackupKey): string {
    return `${this.prefix}${foldersOf(key).join('/')}/`;
  }

  private placeOf(key: string): { readonly key: BackupKey; readonly file: string } | undefined {
    const parts = key.slice(this.prefix.length).split('/');
    const backup = keyOfFolders(parts.slice(0, -1));
    const file = parts.at(-1);
    return backup === undefined || file === undefined ? undefined : { key: backup, file };
  }
}

/** Names of the archives that a manifest names; nothing when it cannot be read. */
function archiveIn(manifest: Buffer): string[] | undefined {
  try {
    const { archive } = JSON.parse(manifest.toString('utf8')) as { archive: { file: string } };
    return [archive.file];
  } catch {
    return undefined;
  }
}
