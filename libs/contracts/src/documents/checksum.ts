import { z } from 'zod';

/**
 * A SHA-256 as people write it: `sha256:…`, as sha256sum's users do (`sha256sum:…`, so the runbooks of Constellation), or the bare 64
 * hex digits. All the same, and kept as the first.
 */
export const checksum = z
  .string()
  .overwrite((text) => text.trim().replace(/^(?:sha256sum:|sha256:)?([0-9a-f]{64})$/i, checksumOf))
  .regex(
    /^sha256:[0-9a-f]{64}$/,
    'must be a SHA-256: 64 hex digits, bare or after sha256: or sha256sum:',
  );

function checksumOf(_all: string, hex: string): string {
  return `sha256:${hex.toLowerCase()}`;
}
