import { createHash, type Hash } from 'node:crypto';
import { LiftlockError } from '#kernel';

/** `sha256:<64 hex>` or `sha512:<128 hex>`: what the image specification registers, and Node can compute. */
export type Digest = `${Algorithm}:${string}`;
export type Algorithm = 'sha256' | 'sha512';

const FORMS: Readonly<Record<Algorithm, RegExp>> = {
  sha256: /^[0-9a-f]{64}$/,
  sha512: /^[0-9a-f]{128}$/,
};

export function isDigest(text: string): text is Digest {
  const [algorithm = '', hex = '', ...more] = text.split(':');
  if (more.length > 0 || !Object.hasOwn(FORMS, algorithm)) return false;
  return FORMS[algorithm as Algorithm].test(hex);
}

/** @throws LiftlockError `invalid_request` */
export function parseDigest(text: string): Digest {
  if (isDigest(text)) return text;
  throw new LiftlockError(
    'invalid_request',
    `${JSON.stringify(text)} is not a digest: sha256:<64 hex digits> or sha512:<128 hex digits> are known`,
  );
}

export function algorithmOf(digest: Digest): Algorithm {
  return digest.startsWith('sha512:') ? 'sha512' : 'sha256';
}

/** The hexadecimal part, as file names in archives and the referrers' tags have it. */
export function hexOf(digest: Digest): string {
  return digest.slice(digest.indexOf(':') + 1);
}

export function hasherOf(digest: Digest): Hash {
  return createHash(algorithmOf(digest));
}

export function digestBytes(bytes: Uint8Array, algorithm: Algorithm = 'sha256'): Digest {
  return `${algorithm}:${createHash(algorithm).update(bytes).digest('hex')}`;
}
