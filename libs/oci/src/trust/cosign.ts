import { createPublicKey, verify, type KeyObject } from 'node:crypto';
import { LiftlockError } from '#kernel';
import type { ImageSource } from '../copy/image-source.js';
import { isObject, type Descriptor } from '../descriptor.js';
import type { Digest } from '../digest.js';
import { parseManifest, type RawManifest } from '../manifest.js';
import { MEDIA_TYPES } from '../media-types.js';
import { cosignTags } from '../registry/referrers.js';
import { Verification } from '../verified-bytes.js';
import type { FoundSignature } from './found-signature.js';
import { readBundle } from './sigstore-bundle.js';

/** A public key that images may be signed by. */
export interface TrustedKey {
  /** For messages: the file, or the name in a document. */
  readonly name: string;
  readonly key: KeyObject;
}

const SIGNATURE = 'dev.cosignproject.cosign/signature';
const TYPE = 'cosign container image signature';
const BUNDLE = 'application/vnd.dev.sigstore.bundle';
/** Bytes that a signature's payload may have. */
const MAX_PAYLOAD = 1024 * 1024;

/** @param pem as `cosign generate-key-pair` writes it to cosign.pub: ECDSA, RSA or Ed25519 @throws LiftlockError `invalid_request` */
export function trustedKey(name: string, pem: string): TrustedKey {
  try {
    const key = createPublicKey(pem);
    if (pem.includes('PRIVATE KEY')) throw new Error('it is a private key');
    return { name, key };
  } catch (error) {
    const why =
      error instanceof Error && error.message === 'it is a private key'
        ? error.message
        : 'no PEM of a public key';
    throw new LiftlockError(
      'invalid_request',
      `${name} is no key to verify signatures with: ${why}`,
    );
  }
}

/**
 * Passes when one of the keys has signed this very digest: as cosign keeps signatures beside an image
 * (https://github.com/sigstore/cosign/blob/main/specs/SIGNATURE_SPEC.md), or as a Sigstore bundle that refers to it. What an index
 * names is covered by the index's own digest.
 * @returns the key that has signed
 * @throws LiftlockError `image_untrusted`
 */
export async function requireSignature(
  source: ImageSource,
  image: RawManifest,
  keys: readonly TrustedKey[],
  signal?: AbortSignal,
): Promise<TrustedKey> {
  let seen = 0;
  for await (const { message, signature, digests } of signaturesOf(source, image.digest, signal)) {
    seen += 1;
    if (!digests.includes(image.digest)) continue;
    const signer = keys.find(({ key }) => isSignedBy(key, message, signature));
    if (signer !== undefined) return signer;
  }
  const by = keys.map(({ name }) => name).join(', ');
  throw new LiftlockError(
    'image_untrusted',
    `${source.name}@${image.digest} ${seen === 0 ? 'is not signed' : `has ${seen} signature(s), none of them for this digest`} by a trusted key (${by}): sign it (cosign sign --key …), or trust the key that it is signed with`,
    { details: { digest: image.digest, signatures: seen } },
  );
}

async function* signaturesOf(
  source: ImageSource,
  digest: Digest,
  signal: AbortSignal | undefined,
): AsyncGenerator<FoundSignature, void, undefined> {
  const [tag = ''] = cosignTags(digest);
  const beside = await source.tagged(tag, signal);
  if (beside !== undefined) {
    const manifest = parseManifest(beside, `${source.name}:${tag}`);
    for (const layer of manifest.kind === 'image' ? manifest.layers : []) {
      const signature = layer.annotations[SIGNATURE];
      if (layer.mediaType !== MEDIA_TYPES.cosignPayload || signature === undefined) continue;
      const message = await readSmallBlob(source, layer, signal);
      yield { message, signature: Buffer.from(signature, 'base64'), digests: digestsOf(message) };
    }
  }
  for (const referrer of await source.referrers(digest, signal)) {
    if (!(referrer.artifactType ?? '').startsWith(BUNDLE)) continue;
    const manifest = parseManifest(
      await source.manifest(referrer.digest, signal),
      `${source.name}@${referrer.digest}`,
    );
    for (const layer of manifest.kind === 'image' ? manifest.layers : [])
      if (layer.mediaType.startsWith(BUNDLE))
        yield* readBundle(await readSmallBlob(source, layer, signal));
  }
}

/** The digest in "simple signing" words. */
function digestsOf(message: Buffer): string[] {
  try {
    const parsed: unknown = JSON.parse(message.toString('utf8'));
    const critical = isObject(parsed) ? parsed['critical'] : undefined;
    if (!isObject(critical) || critical['type'] !== TYPE || !isObject(critical['image'])) return [];
    const digest = critical['image']['docker-manifest-digest'];
    return typeof digest === 'string' ? [digest] : [];
  } catch {
    return [];
  }
}

function isSignedBy(key: KeyObject, message: Buffer, signature: Buffer): boolean {
  const algorithm = key.asymmetricKeyType === 'ed25519' ? null : 'sha256';
  try {
    return verify(algorithm, message, key, signature);
  } catch {
    // a signature of another kind of key
    return false;
  }
}

async function readSmallBlob(
  source: ImageSource,
  blob: Descriptor,
  signal: AbortSignal | undefined,
): Promise<Buffer> {
  if (blob.size > MAX_PAYLOAD)
    throw new LiftlockError(
      'image_untrusted',
      `${source.name}@${blob.digest} is too large for a signature`,
    );
  const pieces: Buffer[] = [];
  const check = new Verification(blob, source.name);
  for await (const piece of check.through(source.read(blob, { signal }))) pieces.push(piece);
  return Buffer.concat(pieces);
}
