import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import { pullScope } from '../auth/scope.js';
import type { Descriptor } from '../descriptor.js';
import { algorithmOf } from '../digest.js';
import { statusOf } from '../http/failures.js';
import { Verification } from '../verified-bytes.js';
import type { BlobSource } from './blob-source.js';
import { sendChunks } from './chunked-upload.js';
import type { Repository } from './repository.js';
import { cancelSession, type UploadSession } from './upload-session.js';

export interface WriteOptions {
  readonly signal?: AbortSignal | undefined;
  /** A repository of the same registry that has the blob: it is mounted from there, where the registry does that. */
  readonly mountFrom?: string | undefined;
  /** Bytes that went out; negative when an attempt is begun anew and they do not count. */
  readonly moved?: ((bytes: number) => void) | undefined;
}

export type Written = 'mounted' | 'uploaded';

/** Sessions that are tried for one blob before it is given up. */
const SESSIONS = 5;
/** A blob that comes otherwise than its digest says is fetched once more: it may have been the way. */
const CORRUPT_TRIES = 2;
/** What registries and the proxies before them answer when a blob in one piece is too much for them. */
const WANTS_CHUNKS = [405, 411, 413, 415, 501];
const PAUSE_MS = 200;
/** What a copy that is called back waits for the name of a session that is just being opened. */
const NAME_GRACE_MS = 2_000;

/** @returns whether it is there; a registry that has no HEAD for blobs is taken not to have it */
export async function hasBlob(
  repository: Repository,
  blob: Descriptor,
  signal?: AbortSignal,
): Promise<boolean> {
  const answer = await repository.send({
    method: 'HEAD',
    url: `blobs/${blob.digest}`,
    what: `looking for the blob ${blob.digest} in ${repository.address}`,
    expect: [200, 404, 405, 501],
    signal,
  });
  answer.discard();
  const length = answer.header('content-length');
  // a registry that has something of another length under this digest is broken: writing it again may mend it
  return answer.status === 200 && (length === undefined || Number(length) === blob.size);
}

/**
 * Writes one blob: mounted where that works, else uploaded, in one piece or, where the registry forces it, in chunks. A session that
 * fails is cancelled, and another begins with the body from its source.
 */
export async function writeBlob(
  repository: Repository,
  blob: Descriptor,
  source: BlobSource,
  options: WriteOptions = {},
): Promise<Written> {
  const { signal } = options;
  let corrupt = 0;
  for (let attempt = 1; ; attempt += 1) {
    let counted = 0;
    const moved = (bytes: number): void => {
      counted += bytes;
      options.moved?.(bytes);
    };
    const reading = new SourceWatch(source);
    try {
      const session = await begin(
        repository,
        blob,
        attempt === 1 ? options.mountFrom : undefined,
        signal,
      );
      if (session === undefined) return 'mounted';
      await fill(session, blob, reading, { signal, moved });
      return 'uploaded';
    } catch (error) {
      options.moved?.(-counted);
      if (signal?.aborted === true) throw error;
      if (error instanceof LiftlockError && error.code === 'image_corrupt') {
        corrupt += 1;
        if (corrupt >= CORRUPT_TRIES) throw error;
      } else if (attempt === 1 && options.mountFrom !== undefined && isDenied(error)) {
        // perhaps only the other repository is: once more without it
        continue;
      } else if (reading.failed || !mayTryAgain(error) || attempt >= SESSIONS) throw error;
      await delay(PAUSE_MS * attempt, undefined, signal === undefined ? {} : { signal });
    }
  }
}

/** A session that the registry does not know any more begins anew; what may pass, too. */
function mayTryAgain(error: unknown): boolean {
  const status = statusOf(error);
  if (status === 404 || status === 410 || status === 416) return true;
  return error instanceof LiftlockError && error.retryable;
}

function isDenied(error: unknown): boolean {
  return error instanceof LiftlockError && error.code === 'registry_denied';
}

/** Knows whether it was the source that failed: the source has tried again by itself. */
class SourceWatch implements BlobSource {
  failed = false;

  constructor(private readonly source: BlobSource) {}

  get name(): string {
    return this.source.name;
  }

  async *read(
    blob: Descriptor,
    options: { readonly offset?: number; readonly signal?: AbortSignal | undefined },
  ): AsyncGenerator<Buffer, void, undefined> {
    try {
      yield* this.source.read(blob, options);
    } catch (error) {
      this.failed = true;
      throw LiftlockError.from(error);
    }
  }
}

/**
 * Begins a session. One that the registry opens while it is called back is cancelled.
 * @returns undefined when the blob is there by it: mounted
 */
async function begin(
  repository: Repository,
  { digest }: Descriptor,
  mountFrom: string | undefined,
  signal: AbortSignal | undefined,
): Promise<UploadSession | undefined> {
  const what = `beginning to write the blob ${digest} to ${repository.address}`;
  const algorithm = algorithmOf(digest);
  const query = new URLSearchParams({
    ...(algorithm === 'sha256' ? {} : { 'digest-algorithm': algorithm }),
    ...(mountFrom === undefined ? {} : { mount: digest, from: mountFrom }),
  });
  const url = `blobs/uploads/${query.size === 0 ? '' : `?${query.toString()}`}`;
  const mounting = mountFrom !== undefined;
  const request = { method: 'POST', what, signal, graceMs: NAME_GRACE_MS } as const;
  let answer = await repository.send({
    ...request,
    url,
    scopes: mounting ? [...repository.scopes, pullScope(mountFrom)] : repository.scopes,
    // a registry that does not mount, or not from there, may say so in many ways
    expect: mounting ? [201, 202, 400, 401, 403, 404, 405] : [202],
  });
  if (![201, 202].includes(answer.status)) {
    answer.discard();
    answer = await repository.send({ ...request, url: 'blobs/uploads/', expect: [202] });
  }
  answer.discard();
  if (answer.status === 201) return undefined;
  const location = answer.header('location');
  if (location === undefined)
    throw new LiftlockError(
      'registry_refused',
      `${what}: the registry named no place to write to (no Location)`,
    );
  const least = Number(answer.header('oci-chunk-min-length') ?? 0);
  const session = {
    repository,
    url: repository.client.resolve(location, `/v2/${repository.name}/${url}`),
    leastChunk: Number.isSafeInteger(least) && least > 0 ? least : 0,
  };
  if (signal?.aborted === true) {
    await cancelSession(session);
    signal.throwIfAborted();
  }
  return session;
}

async function fill(
  session: UploadSession,
  blob: Descriptor,
  source: BlobSource,
  options: { readonly signal: AbortSignal | undefined; readonly moved: (bytes: number) => void },
): Promise<void> {
  const { repository } = session;
  let current = session;
  try {
    if (!chunked.has(repository.client)) {
      if (await sendWhole(session, blob, source, options)) return;
      chunked.add(repository.client);
      // the first session has seen a part of it, perhaps
      await cancelSession(session);
      const next = await begin(repository, blob, undefined, options.signal);
      if (next === undefined) return;
      current = next;
    }
    await sendChunks(current, blob, source, options);
  } catch (error) {
    await cancelSession(current);
    throw error;
  }
}

/** Registries that take blobs in chunks only. */
const chunked = new WeakSet<object>();

/** @returns false when the registry wants it in chunks */
async function sendWhole(
  { repository, url }: UploadSession,
  blob: Descriptor,
  source: BlobSource,
  {
    signal,
    moved,
  }: { readonly signal: AbortSignal | undefined; readonly moved: (bytes: number) => void },
): Promise<boolean> {
  const target = new URL(url);
  target.searchParams.set('digest', blob.digest);
  let sent = 0;
  const answer = await repository.send({
    method: 'PUT',
    url: target,
    what: `writing the blob ${blob.digest} to ${repository.address}`,
    headers: { 'content-type': 'application/octet-stream' },
    body: () => {
      // the registry wanted to know who we are first, after a part of it
      moved(-sent);
      sent = 0;
      return {
        length: blob.size,
        async pump(sink) {
          const check = new Verification(blob, source.name);
          for await (const chunk of check.through(source.read(blob, { signal }))) {
            if (!(await sink.write(chunk))) return;
            sent += chunk.byteLength;
            moved(chunk.byteLength);
          }
        },
      };
    },
    expect: [201, 200, 202, 204, ...WANTS_CHUNKS],
    signal,
    attempts: 1,
  });
  answer.discard();
  if (!WANTS_CHUNKS.includes(answer.status)) return true;
  moved(-sent);
  return false;
}
