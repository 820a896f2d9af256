import { randomBytes } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { LiftlockError } from '#kernel';
import { PassedBytes } from '../passed-bytes.js';
import {
  MANIFEST,
  type StoreAttempt,
  type StoredArchive,
  type StoredFolder,
  type WriteOptions,
} from '../store.js';
import type { S3Bucket } from './s3-bucket.js';

/**
 * One backup in a bucket: `<prefix>/<environment>/<application>/<upgrade>/<backup>/` with the archive and `manifest.json`. There is no rename:
 * each attempt writes its archive under a name of its own, and the manifest, which names it, last and only where there is none. So there
 * is the whole of one attempt, or nothing that counts.
 */
export class S3Folder implements StoredFolder {
  readonly location: string;

  /** @param prefix of the backup's keys, with `/` at its end */
  constructor(
    private readonly bucket: S3Bucket,
    private readonly prefix: string,
  ) {
    this.location = bucket.locationOf(prefix.slice(0, -1));
  }

  manifest(): Promise<Buffer | undefined> {
    return this.bucket.get(this.prefix + MANIFEST);
  }

  read(file: string, signal: AbortSignal): Readable {
    return readFrom(this.bucket, this.prefix + file, signal);
  }

  async sizes(): Promise<ReadonlyMap<string, number> | undefined> {
    const sizes = new Map<string, number>();
    for await (const { key, bytes } of this.bucket.list(this.prefix))
      sizes.set(key.slice(this.prefix.length), bytes);
    return sizes.has(MANIFEST) ? sizes : undefined;
  }

  async takeOut(): Promise<(() => Promise<void>) | undefined> {
    const sizes = await this.sizes();
    if (sizes === undefined) return undefined;
    await this.bucket.delete([this.prefix + MANIFEST]);
    // only what was seen with it: what comes now is another attempt's
    const rest = [...sizes.keys()].filter((file) => file !== MANIFEST);
    return () => this.bucket.delete(rest.map((file) => this.prefix + file));
  }

  async begin(token: number): Promise<StoreAttempt> {
    // a whole archive that no manifest names is left to the sweep: one that names it may be on its way
    for (const upload of await this.bucket.uploads(this.prefix)) await this.bucket.giveUp(upload);
    return new S3Attempt(this.bucket, this.prefix, token);
  }
}

class S3Attempt implements StoreAttempt {
  private readonly written = new Map<string, number>();
  private mayCount = false;

  constructor(
    private readonly bucket: S3Bucket,
    private readonly prefix: string,
    private readonly token: number,
  ) {}

  async write(
    asked: string,
    archive: Readable,
    signal: AbortSignal,
    { onBytes = () => undefined, expectedBytes }: WriteOptions = {},
  ): Promise<StoredArchive> {
    const own = `.${this.token}.${randomBytes(4).toString('hex')}`;
    const file = asked.replace(/^data(?=\.)/, `data${own}`);
    const passed = new PassedBytes();
    const body = new PassThrough({
      highWaterMark: 1024 * 1024,
      transform(chunk: Buffer, _encoding, done) {
        passed.add(chunk);
        onBytes(chunk.length);
        done(undefined, chunk);
      },
    });
    // the uploader sees how it ends
    pipeline(archive, body, { signal }).catch(() => undefined);
    this.written.set(this.prefix + file, 0);
    try {
      await this.bucket.upload(this.prefix + file, body, () => passed.bytes, expectedBytes);
    } finally {
      signal.throwIfAborted();
    }
    this.written.set(this.prefix + file, passed.bytes);
    return { file, ...passed.end() };
  }

  read(file: string, signal: AbortSignal): Readable {
    return readFrom(this.bucket, this.prefix + file, signal);
  }

  async commit(manifest: Buffer, guard: () => Promise<void>): Promise<void> {
    const key = this.prefix + MANIFEST;
    const location = this.bucket.locationOf(this.prefix.slice(0, -1));
    await guard();
    this.mayCount = true;
    await this.bucket.putNew(key, manifest);
    // also when it was put: there are stores that look and put at two different moments
    if ((await this.bucket.get(key))?.equals(manifest) !== true) {
      this.mayCount = false;
      throw new LiftlockError('not_empty', `there is a backup ${location} already`);
    }
    // what stood still before it was sent may have been taken for left over
    for (const [archive, bytes] of this.written) {
      if ((await this.bucket.sizeOf(archive)) === bytes) continue;
      await this.bucket.delete([key]);
      this.mayCount = false;
      throw new LiftlockError(
        'unavailable',
        `${this.bucket.locationOf(archive)} is gone, or not as long as it was written: ${location} does not count, and is taken again`,
      );
    }
  }

  async discard(): Promise<void> {
    // a manifest whose answer was lost may lie there: then the archive is its own; if not, the sweep finds it
    if (this.mayCount) return;
    try {
      await this.bucket.delete([...this.written.keys()]);
    } catch {
      // why the attempt ended is what counts; what is left of it is swept
    }
  }
}

function readFrom(bucket: S3Bucket, key: string, signal: AbortSignal): Readable {
  return Readable.from(bucket.read(key, signal), { objectMode: false });
}
