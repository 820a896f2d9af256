import { parseReference, type Reference } from './reference.js';

/** Where a person says that an image is. */
export type Location =
  | { readonly kind: 'registry'; readonly reference: Reference }
  | {
      readonly kind: 'archive';
      readonly path: string;
      /** Name or digest in the archive; needed where it holds several. */
      readonly reference?: string;
    };

const ARCHIVE = /^(?:oci-archive|docker-archive|archive):([^:]+)(?::(.+))?$/;
const ARCHIVE_PATH = /^(?:\.{0,2}\/).*\.(?:tar|tar\.gz|tgz|tar\.zst)$/;

/**
 * `registry/app:1.0`, `docker://registry/app:1.0`, `oci-archive:PATH[:NAME]`, `docker-archive:PATH[:NAME]` (which of the two is seen in
 * the file), or the path of a tar that begins with `/` or `.`.
 * @throws LiftlockError `invalid_request`
 */
export function parseLocation(text: string): Location {
  const archive = ARCHIVE.exec(text);
  if (archive !== null) {
    const [, path = '', reference] = archive;
    return { kind: 'archive', path, ...(reference === undefined ? {} : { reference }) };
  }
  if (ARCHIVE_PATH.test(text)) return { kind: 'archive', path: text };
  return { kind: 'registry', reference: parseReference(text.replace(/^docker:\/\//, '')) };
}
