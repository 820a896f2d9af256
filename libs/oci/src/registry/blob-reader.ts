import { setTimeout as delay } from 'node:timers/promises';
import { LiftlockError } from '#kernel';
import type { Descriptor } from '../descriptor.js';
import type { Answer } from '../http/answer.js';
import { connectionFailed } from '../http/failures.js';
import type { Repository } from './repository.js';

/** Cuts in a row, with nothing received between them, after which a download is given up. */
const MAX_CUTS = 6;
const PAUSE_MS = 100;

/**
 * A blob's bytes from `offset` on. A download that is cut goes on where it was (`Range`), or from the beginning with what is known
 * skipped, where the registry knows no ranges. The digest is the caller's to check.
 */
export async function* readBlob(
  repository: Repository,
  { digest, size }: Pick<Descriptor, 'digest' | 'size'>,
  options: { readonly offset?: number; readonly signal?: AbortSignal | undefined } = {},
): AsyncGenerator<Buffer, void, undefined> {
  const { signal } = options;
  const what = `reading the blob ${digest} of ${repository.address}`;
  let position = options.offset ?? 0;
  for (let cuts = 0; ;) {
    const answer = await open(repository, digest, position, what, signal);
    let skip = answer.status === 206 ? 0 : position;
    const before = position;
    try {
      for await (const chunk of answer.stream()) {
        const piece = skip === 0 ? chunk : chunk.subarray(Math.min(skip, chunk.byteLength));
        skip -= chunk.byteLength - piece.byteLength;
        if (piece.byteLength === 0) continue;
        position += piece.byteLength;
        if (position > size) throw tooLong(what, size);
        yield piece;
      }
      if (position === size) return;
      throw new Error(`it ended after ${position} of ${size} bytes`);
    } catch (error) {
      if (signal?.aborted === true) throw error;
      if (error instanceof LiftlockError && error.code !== 'timeout') throw error;
      cuts = position > before ? 1 : cuts + 1;
      if (cuts >= MAX_CUTS) throw connectionFailed(repository.client.registry, what, error);
      await delay(PAUSE_MS * 2 ** (cuts - 1), undefined, signal === undefined ? {} : { signal });
    }
  }
}

function tooLong(what: string, size: number): LiftlockError {
  return new LiftlockError(
    'image_corrupt',
    `${what}: it is longer than the ${size} bytes that its descriptor says`,
  );
}

async function open(
  repository: Repository,
  digest: string,
  position: number,
  what: string,
  signal: AbortSignal | undefined,
): Promise<Answer> {
  const answer = await repository.send({
    method: 'GET',
    url: `blobs/${digest}`,
    what,
    ...(position === 0 ? {} : { headers: { range: `bytes=${position}-` } }),
    expect: [200, 206, 416],
    signal,
  });
  if (answer.status === 416) {
    answer.discard();
    throw new LiftlockError(
      'image_corrupt',
      `${what}: the registry's blob ends before byte ${position}`,
    );
  }
  if (answer.status === 206 && !answer.header('content-range')?.startsWith(`bytes ${position}-`)) {
    answer.destroy();
    throw new LiftlockError(
      'registry_refused',
      `${what}: the registry was asked for what follows byte ${position} and gave ${answer.header('content-range') ?? 'something else'}`,
    );
  }
  return answer;
}
