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

/** Tells the registry that nothing more comes, so that it keeps no half of a blob. What fails is left to the registry's own clean-up. */
export async function cancelSession({ repository, url }: UploadSession): Promise<void> {
  try {
    const answer = await repository.send({
      method: 'DELETE',
      url,
      what: `cancelling an upload to ${repository.address}`,
      expect: [204, 200, 202, 400, 404, 405, 501],
      // the caller's signal may be the reason: it would cancel the cancelling
      signal: AbortSignal.timeout(CANCEL_DEADLINE_MS),
      attempts: 1,
    });
    answer.discard();
  } catch {
    // the failure that led here is the one to tell
  }
}
