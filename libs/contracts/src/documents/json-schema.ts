import { z } from 'zod';
import { DOCUMENT_KINDS, DOCUMENT_SCHEMAS, type DocumentKind } from './documents.js';

/**
 * The JSON Schema (draft 2020-12) of a kind, as a person writes it: an editor completes and checks YAML by it. What a schema cannot say (a
 * circle, a name that stands twice) is left to `apply`.
 */
export function jsonSchemaOf(kind: DocumentKind): Record<string, unknown> {
  const schema = z.toJSONSchema(DOCUMENT_SCHEMAS[kind], { io: 'input', target: 'draft-2020-12' });
  return { ...schema, title: kind };
}

export function isDocumentKind(text: string): text is DocumentKind {
  return (DOCUMENT_KINDS as readonly string[]).includes(text);
}
