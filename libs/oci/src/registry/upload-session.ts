import { setTimeout as delay } from 'node:timers/promises';
import type { Repository } from './repository.js';

/** An upload that the registry has begun for us. */
export interface UploadSession {
  readonly repository: Repository;
  /** Where the next bytes go. */
  readonly url: URL;
  /** Bytes that a chunk must have, but for the last (`OCI-Chunk-Min-Length`); 0 when it was not said. */
  readonly leastChunk: number;
}

const CANCEL_DEADLINE_MS = 10_000;
/** Tries to cancel: what was on its way may still be written down, and then the address is an old one again. */
const CANCEL_TRIES = 4;
const PAUSE_MS = 100;

/**
 * Tells the registry that nothing more comes, so that it keeps no half of a blob. Some do this only by the address that the session's status
 * gives, which holds how far it came. What fails is left to the registry's own clean-up.
 */
export async function cancelSession({ repository, url }: UploadSession): Promise<void> {
  const what = `cancelling an upload to ${repository.address}`;
  // the caller's signal may be the reason: it would cancel the cancelling
  const request = { what, signal: AbortSignal.timeout(CANCEL_DEADLINE_MS), attempts: 1 };
  let at: URL = url;
  try {
    for (let attempt = 1; attempt <= CANCEL_TRIES; attempt += 1) {
      const answer = await repository.send({
        ...{ ...request, method: 'DELETE', url: at },
        expect: [204, 200, 202, 400, 404, 405, 416, 501],
      });
      answer.discard();
      if (![400, 416].includes(answer.status)) return;
      if (attempt > 1) await delay(PAUSE_MS);
      const status = await repository.send({
        ...{ ...request, method: 'GET', url },
        expect: [204, 200, 202, 400, 404, 405],
      });
      status.discard();
      const location = status.header('location');
      if (status.status >= 400 || location === undefined) return;
      at = repository.client.resolve(location, url);
    }
  } catch {
    // the failure that led here is the one to tell
  }
}
