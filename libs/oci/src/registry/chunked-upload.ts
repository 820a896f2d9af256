import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import { Verification } from '../verified-bytes.js';
import type { BlobSource } from './blob-source.js';
import { takeBytes } from './take-bytes.js';
import type { UploadSession } from './upload-session.js';

interface Options {
  readonly signal: AbortSignal | undefined;
  readonly moved: (bytes: number) => void;
}

/** Bytes of a chunk: below what proxies before registries let through, and few requests. */
const CHUNK_BYTES = 16 * 1024 * 1024;
/** Tries of one chunk. */
const TRIES = 5;

/**
 * Sends a blob in chunks (distribution specification, "Pushing a blob in chunks"). A chunk that fails is asked for: the registry says how
 * far it came, and the body goes on from there, from its source.
 */
export async function sendChunks(
  session: UploadSession,
  blob: Descriptor,
  source: BlobSource,
  options: Options,
): Promise<void> {
  const size = Math.max(CHUNK_BYTES, session.leastChunk);
  const open = (offset: number): AsyncGenerator<Buffer, void, undefined> =>
    pieces(source.read(blob, { offset, signal: options.signal }));
  let url = session.url;
  let check = new Verification(blob, source.name);
  let reader = open(0);
  try {
    while (check.offset < blob.size) {
      const start = check.offset;
      const end = Math.min(start + size, blob.size);
      const saved = check.copy();
      for (let attempt = 1; ; attempt += 1) {
        try {
          url = await sendChunk({ ...session, url }, end, check, reader, options);
          break;
        } catch (error) {
          if (options.signal?.aborted === true || attempt >= TRIES || !mayGoOn(error)) throw error;
          const status = await statusOfSession({ ...session, url }, options.signal);
          url = status.url;
          // it has all of it: only the answer was lost
          if (status.next === end && check.offset === end) break;
          if (status.next !== start) throw error;
          await reader.return();
          check = saved.copy();
          reader = open(start);
        }
      }
    }
    check.finish();
  } finally {
    await reader.return();
  }
  await close({ ...session, url }, blob, options.signal);
}

async function* pieces(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer, void, undefined> {
  yield* source;
}

function mayGoOn(error: unknown): boolean {
  return !(error instanceof LiftlockError) || error.retryable || error.details?.['status'] === 416;
}

/** @returns where the next one goes */
async function sendChunk(
  { repository, url }: UploadSession,
  end: number,
  check: Verification,
  reader: AsyncGenerator<Buffer, void, undefined>,
  { signal, moved }: Options,
): Promise<URL> {
  const start = check.offset;
  const range = `${start}-${end - 1}`;
  let sent = 0;
  let begun = false;
  try {
    const answer = await repository.send({
      method: 'PATCH',
      url,
      what: `writing bytes ${range} of a blob to ${repository.address}`,
      headers: { 'content-type': 'application/octet-stream', 'content-range': range },
      body: () => {
        // the registry wanted to know who we are: the reader has gone on already
        if (begun)
          throw new LiftlockError('registry_unreachable', `${repository.address} cut a chunk off`);
        begun = true;
        return {
          length: end - start,
          async pump(sink) {
            for await (const piece of takeBytes(reader, end - start)) {
              check.add(piece);
              if (!(await sink.write(piece))) return;
              sent += piece.byteLength;
              moved(piece.byteLength);
            }
          },
        };
      },
      expect: [202, 201, 204],
      signal,
      attempts: 1,
    });
    answer.discard();
    const location = answer.header('location');
    return location === undefined ? url : repository.client.resolve(location, url);
  } catch (error) {
    moved(-sent);
    throw error;
  }
}

/** How far the registry came (end-13). */
async function statusOfSession(
  { repository, url }: UploadSession,
  signal: AbortSignal | undefined,
): Promise<{ readonly next: number; readonly url: URL }> {
  const answer = await repository.send({
    method: 'GET',
    url,
    what: `asking ${repository.address} how far an upload came`,
    expect: [204, 200, 202],
    signal,
  });
  answer.discard();
  const range = /^(?:bytes=)?0-(\d+)$/.exec(answer.header('range') ?? '');
  const location = answer.header('location');
  return {
    // "0-0" is both nothing and one byte: registries mean nothing
    next: range === null || range[1] === '0' ? 0 : Number(range[1]) + 1,
    url: location === undefined ? url : repository.client.resolve(location, url),
  };
}

async function close(
  { repository, url }: UploadSession,
  { digest }: Descriptor,
  signal: AbortSignal | undefined,
): Promise<void> {
  const target = new URL(url);
  target.searchParams.set('digest', digest);
  const answer = await repository.send({
    method: 'PUT',
    url: target,
    what: `finishing the blob ${digest} in ${repository.address}`,
    expect: [201, 200, 202, 204],
    signal,
    attempts: 1,
  });
  answer.discard();
}
