import { canonicalJson, LiftlockError } from '#kernel';
import {
  DOCUMENT_SCHEMAS,
  issuesWithin,
  type DocumentKind,
  type LiftlockDocument,
} from '#contracts';
import { issuesOf } from '#source';

/** So that a document, with what stands around it, is always a message of NATS (1 MiB). */
const MOST_BYTES = 256 * 1024;

/**
 * A body as the document that it is to be stored as. What other documents say is not asked: they may come later.
 * @throws LiftlockError `invalid_document` with all that is wrong, by its place in the document; `body_too_large`.
 */
export function readDocument(kind: DocumentKind, name: string, body: unknown): LiftlockDocument {
  const parsed = DOCUMENT_SCHEMAS[kind].safeParse(body);
  const issues = parsed.success ? issuesWithin(parsed.data) : issuesOf(parsed.error);
  if (parsed.success && parsed.data.metadata.name !== name) {
    issues.push({
      pointer: '/metadata/name',
      message: `is ${parsed.data.metadata.name}, and it was put as ${name}`,
    });
  }
  if (!parsed.success || issues.length > 0) {
    const [first] = issues;
    const more = issues.length > 1 ? ` (and ${issues.length - 1} more)` : '';
    throw new LiftlockError(
      'invalid_document',
      `${kind} ${name}: ${first === undefined ? 'is not valid' : `${first.pointer}: ${first.message}${more}`}`,
      { issues },
    );
  }
  const bytes = Buffer.byteLength(canonicalJson(parsed.data));
  if (bytes > MOST_BYTES) {
    throw new LiftlockError(
      'body_too_large',
      `${kind} ${name} is of ${Math.ceil(bytes / 1024)} KiB, and a document may have ${MOST_BYTES / 1024}`,
    );
  }
  return parsed.data;
}
