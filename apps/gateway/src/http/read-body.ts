import type { Request } from 'express';
import { LiftlockError } from '#kernel';

/** Bytes that a body may have. */
export const MAX_BODY_BYTES = 1024 * 1024;
/** Bytes of a body too large that are read and thrown away, so that its sender gets to read the answer. */
const MAX_DRAIN_BYTES = 16 * MAX_BODY_BYTES;
/** Milliseconds for a body to arrive. */
const DEADLINE_MS = 30_000;

/** @throws LiftlockError `body_too_large`, `unsupported_media_type`, `invalid_request`. */
export async function readBody(request: Request): Promise<string> {
  const encoding = request.headers['content-encoding'];
  if (encoding !== undefined && encoding !== 'identity') {
    throw new LiftlockError(
      'unsupported_media_type',
      `a body with Content-Encoding ${encoding} is not taken: send it plain`,
    );
  }
  const announced = Number(request.headers['content-length'] ?? 0);
  if (announced > MAX_DRAIN_BYTES) throw tooLarge();
  const chunks: Buffer[] = [];
  let bytes = 0;
  const timer = setTimeout(
    () => request.destroy(new Error('the body did not arrive in time')),
    DEADLINE_MS,
  );
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      bytes += chunk.length;
      if (bytes <= MAX_BODY_BYTES) chunks.push(chunk);
      else if (bytes > MAX_DRAIN_BYTES) break;
    }
  } catch (cause) {
    throw new LiftlockError('invalid_request', 'the body did not arrive as a whole', { cause });
  } finally {
    clearTimeout(timer);
  }
  if (bytes > MAX_BODY_BYTES) throw tooLarge();
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new LiftlockError('invalid_request', 'the body is not UTF-8', { cause });
  }
}

function tooLarge(): LiftlockError {
  return new LiftlockError('body_too_large', `the body is larger than ${MAX_BODY_BYTES} bytes`);
}
