import { requireSignature, trustedKey, type CopyJob } from '#oci';
import { readPem } from './connect.js';

/** `--key FILE`, as often as there are keys: one of them must have signed. None: nothing is asked for. */
export function cosignPolicy(files: readonly string[]): CopyJob['admit'] {
  if (files.length === 0) return undefined;
  const keys = files.map((file) => trustedKey(file, readPem(file)));
  return async (image, source) => void (await requireSignature(source, image, keys));
}
