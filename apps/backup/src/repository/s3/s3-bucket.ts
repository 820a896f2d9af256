import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { GetObjectCommandOutput, S3Client } from '@aws-sdk/client-s3';
import type { SecretStore } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { isNotThere, nameOf, s3Error, statusOf } from './s3-errors.js';
import { MOST_PARTS, type S3Options } from './s3-options.js';

type Sdk = typeof import('@aws-sdk/client-s3');

export interface S3Keys {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly expiration: Date;
}

export interface S3Object {
  readonly key: string;
  readonly bytes: number;
  readonly modified: Date;
}

export interface S3Upload {
  readonly key: string;
  readonly id: string;
}

const MIB = 1024 * 1024;
/** Parts of one upload that are under way at the same time: each is held in memory. */
const PARTS_AT_ONCE = 2;
/** Milliseconds for which keys are used before they are looked up again; the client does so five minutes before. */
const KEYS_MS = 6 * 60_000;
/** Times that one object's reading is taken up again without a byte of it having come. */
const RESUMES = 5;
const CONNECT_MS = 10_000;
const IDLE_MS = 60_000;
const ATTEMPTS = 5;

/** One bucket of an S3-compatible store. Errors are in our words; what may be tried again was. */
export class S3Bucket {
  private opened: Promise<{ readonly sdk: Sdk; readonly client: S3Client }> | undefined;

  constructor(
    private readonly options: S3Options,
    private readonly secrets: SecretStore,
  ) {}

  locationOf(key: string): string {
    return `s3://${this.options.bucket}/${key}`;
  }

  /** @returns nothing when there is no such object */
  async get(key: string): Promise<Buffer | undefined> {
    try {
      return await buffer(this.read(key, new AbortController().signal));
    } catch (error) {
      if (error instanceof LiftlockError && error.code === 'data_missing') return undefined;
      throw error;
    }
  }

  /** @returns bytes; nothing when there is no such object */
  async sizeOf(key: string): Promise<number | undefined> {
    return this.ask(key, async ({ sdk, client }) => {
      try {
        return (await client.send(new sdk.HeadObjectCommand(this.at(key)))).ContentLength ?? 0;
      } catch (error) {
        if (isNotThere(error)) return undefined;
        throw error;
      }
    });
  }

  /**
   * The object from its beginning to its end, over as many connections as it takes: one that is cut is taken up where it ended, as long as
   * the object is the same.
   * @throws LiftlockError `data_missing` when there is no such object
   */
  async *read(key: string, signal: AbortSignal): AsyncGenerator<Buffer> {
    let done = 0;
    let total: number | undefined;
    let tag: string | undefined;
    let resumes = 0;
    while (total === undefined || done < total) {
      const { Body, ContentLength, ETag } = await this.part(key, done, tag, signal);
      tag ??= ETag;
      total ??= ContentLength ?? 0;
      try {
        for await (const chunk of Body as Readable as AsyncIterable<Buffer>) {
          done += chunk.length;
          resumes = 0;
          yield chunk;
        }
        if (done < total) throw new Error(`ended after ${done} of ${total} bytes`);
      } catch (error) {
        signal.throwIfAborted();
        resumes += 1;
        if (resumes > RESUMES) throw s3Error(error, this.locationOf(key), this.options);
      }
    }
  }

  /** All of it from there on. The client tries again what gets no answer. */
  private async part(
    key: string,
    from: number,
    tag: string | undefined,
    signal: AbortSignal,
  ): Promise<GetObjectCommandOutput> {
    return this.ask(key, async ({ sdk, client }) => {
      const range = from === 0 ? {} : { Range: `bytes=${from}-`, IfMatch: tag };
      try {
        const command = new sdk.GetObjectCommand({ ...this.at(key), ...range });
        const found = await client.send(command, { abortSignal: signal });
        if (from > 0 && found.ContentRange === undefined)
          throw new Error('the store sends no part of an object');
        return found;
      } catch (error) {
        signal.throwIfAborted();
        if (isNotThere(error))
          throw new LiftlockError('data_missing', `${this.locationOf(key)} is not there`);
        throw error;
      }
    });
  }

  /** Puts it there, unless there is something: whoever needs to know looks at what is there. */
  async putNew(key: string, body: Buffer): Promise<void> {
    await this.ask(key, async ({ sdk, client }) => {
      const object = { ...this.at(key), Body: body };
      try {
        await client.send(new sdk.PutObjectCommand({ ...object, IfNoneMatch: '*' }));
      } catch (error) {
        // this, too, is what a lost answer ends with, when it is sent again
        if (['PreconditionFailed', 'ConditionalRequestConflict'].includes(nameOf(error))) return;
        if (statusOf(error) !== 501) throw error;
        // a store that has no such condition
        if ((await this.sizeOf(key)) === undefined)
          await client.send(new sdk.PutObjectCommand(object));
      }
    });
  }

  /**
   * A stream of any length as one object, which is there when all of it is, or not at all.
   * @param expectedBytes that it may have: parts are as large as they must be for twice of it
   * @returns when the store has all of its bytes
   */
  async upload(
    key: string,
    body: Readable,
    bytesOf: () => number,
    expectedBytes = 0,
  ): Promise<void> {
    const needed = Math.ceil((2 * expectedBytes) / MOST_PARTS / MIB) * MIB;
    const partSize = Math.max(this.options.partBytes, needed);
    try {
      await this.ask(key, ({ client }) => this.send(client, key, body, partSize));
    } catch (error) {
      // what broke the stream is why, and not what the uploader made of it
      throw body.errored ?? error;
    } finally {
      body.destroy();
    }
    const found = await this.sizeOf(key);
    if (found === bytesOf()) return;
    await this.delete([key]);
    throw new LiftlockError(
      'unavailable',
      `${this.locationOf(key)} has ${found ?? 'no'} bytes, and ${bytesOf()} were sent: it was removed, and is tried again`,
    );
  }

  private async send(
    client: S3Client,
    key: string,
    body: Readable,
    partSize: number,
  ): Promise<void> {
    const { Upload } = await import('@aws-sdk/lib-storage');
    const params = { ...this.at(key), Body: body };
    try {
      await new Upload({ client, params, queueSize: PARTS_AT_ONCE, partSize }).done();
    } catch (error) {
      if (error instanceof Error && error.message.startsWith('Exceeded'))
        throw new LiftlockError(
          'misconfigured',
          `${this.locationOf(key)}: the archive has more than ${MOST_PARTS} parts of ${partSize / MIB} MiB: set LIFTLOCK_BACKUP_S3_PART_MIB to more`,
          { cause: error },
        );
      // the answer to its end may be lost, and asked for again: then it is there, and is looked at
      if (nameOf(error) !== 'NoSuchUpload') throw error;
    }
  }

  async *list(prefix: string): AsyncGenerator<S3Object> {
    let next: string | undefined;
    do {
      const ContinuationToken = next;
      const page = await this.ask(prefix, ({ sdk, client }) =>
        client.send(
          new sdk.ListObjectsV2Command({
            Bucket: this.options.bucket,
            Prefix: prefix,
            ContinuationToken,
          }),
        ),
      );
      for (const { Key, Size, LastModified } of page.Contents ?? [])
        if (Key !== undefined)
          yield { key: Key, bytes: Size ?? 0, modified: LastModified ?? new Date(0) };
      next = page.IsTruncated === true ? page.NextContinuationToken : undefined;
    } while (next !== undefined);
  }

  /** Uploads that have neither ended nor been given up. */
  async uploads(prefix: string): Promise<S3Upload[]> {
    const found: S3Upload[] = [];
    let at: { KeyMarker?: string; UploadIdMarker?: string } | undefined = {};
    while (at !== undefined) {
      const from: { KeyMarker?: string; UploadIdMarker?: string } = at;
      const page = await this.ask(prefix, ({ sdk, client }) =>
        client.send(
          new sdk.ListMultipartUploadsCommand({
            Bucket: this.options.bucket,
            Prefix: prefix,
            ...from,
          }),
        ),
      );
      for (const { Key, UploadId } of page.Uploads ?? [])
        if (Key !== undefined && UploadId !== undefined) found.push({ key: Key, id: UploadId });
      at =
        page.IsTruncated === true
          ? {
              ...(page.NextKeyMarker === undefined ? {} : { KeyMarker: page.NextKeyMarker }),
              ...(page.NextUploadIdMarker === undefined
                ? {}
                : { UploadIdMarker: page.NextUploadIdMarker }),
            }
          : undefined;
    }
    return found;
  }

  /** One that has ended meanwhile stays as it ended. */
  async giveUp({ key, id }: S3Upload): Promise<void> {
    await this.ask(key, async ({ sdk, client }) => {
      try {
        await client.send(new sdk.AbortMultipartUploadCommand({ ...this.at(key), UploadId: id }));
      } catch (error) {
        if (!isNotThere(error)) throw error;
      }
    });
  }

  /** What is not there need not be deleted. */
  async delete(keys: readonly string[]): Promise<void> {
    for (const key of keys)
      await this.ask(key, ({ sdk, client }) =>
        client.send(new sdk.DeleteObjectCommand(this.at(key))),
      );
  }

  private at(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.options.bucket, Key: key };
  }

  private async ask<T>(
    key: string,
    question: (open: { readonly sdk: Sdk; readonly client: S3Client }) => Promise<T>,
  ): Promise<T> {
    try {
      return await question(await this.open());
    } catch (error) {
      throw s3Error(error, this.locationOf(key), this.options);
    }
  }

  private open(): Promise<{ readonly sdk: Sdk; readonly client: S3Client }> {
    this.opened ??= this.connect().catch((error: unknown) => {
      this.opened = undefined;
      throw error;
    });
    return this.opened;
  }

  private async connect(): Promise<{ readonly sdk: Sdk; readonly client: S3Client }> {
    const sdk = await import('@aws-sdk/client-s3');
    const { region, endpoint, pathStyle, attempts, idleMs } = this.options;
    const client = new sdk.S3Client({
      region,
      forcePathStyle: pathStyle,
      ...(endpoint === undefined ? {} : { endpoint }),
      credentials: () => this.keys(),
      maxAttempts: attempts ?? ATTEMPTS,
      // what is sent is signed with its sha256, and what comes is compared with the manifest's: further sums are refused by many a store
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECT_MS,
        socketTimeout: idleMs ?? IDLE_MS,
        // what waits for a connection is a long list, and no reason to write to the console
        socketAcquisitionWarningTimeout: 3_600_000,
      },
    });
    return { sdk, client };
  }

  /** @throws LiftlockError `misconfigured`, naming the reference, when it stands for no keys */
  async keys(): Promise<S3Keys> {
    const { credentials } = this.options;
    const text = (await this.secrets.get(credentials)).trim();
    // there are stores whose key ids have a colon
    const [, accessKeyId, secretAccessKey] =
      /^(\S+)\s+(\S+)$/.exec(text) ?? /^([^\s:]+):(\S+)$/.exec(text) ?? [];
    if (accessKeyId === undefined || secretAccessKey === undefined)
      throw new LiftlockError(
        'misconfigured',
        `what ${credentials} stands for is not \`<access key id>:<secret access key>\``,
        { details: { reference: credentials } },
      );
    return {
      accessKeyId,
      secretAccessKey,
      expiration: new Date(Date.now() + KEYS_MS),
    };
  }
}
