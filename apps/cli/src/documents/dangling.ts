import { DOCUMENT_COLLECTIONS, referencesOf, storedDocument, type DocumentKind } from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { faultAt, type Fault, type PlacedDocument } from './read-documents.js';

/** What documents name and nobody has: neither one of them, nor the server. */
export async function danglingReferences(
  client: ApiClient,
  documents: readonly PlacedDocument[],
): Promise<Fault[]> {
  const given = new Set(documents.map(({ parsed }) => `${parsed.kind} ${parsed.metadata.name}`));
  const asked = new Map<string, Promise<boolean>>();
  const isStored = (kind: DocumentKind, name: string): Promise<boolean> => {
    const path = `/v1/${collectionOf(kind)}/${name}`;
    const known = asked.get(path) ?? exists(client, path);
    asked.set(path, known);
    return known;
  };
  const faults: Fault[] = [];
  for (const one of documents) {
    for (const { kinds, name, pointer } of referencesOf(one.parsed)) {
      if (kinds.some((kind) => given.has(`${kind} ${name}`))) continue;
      const stored = await Promise.all(kinds.map((kind) => isStored(kind, name)));
      if (stored.includes(true)) continue;
      const what = kinds.map((kind) => kind).join(' or ');
      const message = `there is no ${what} ${name}, neither among these documents nor on the server`;
      faults.push(faultAt(one.file, one, { pointer, message }));
    }
  }
  return faults;
}

async function exists(client: ApiClient, path: string): Promise<boolean> {
  try {
    await client.get(path, storedDocument);
    return true;
  } catch (error) {
    if (error instanceof LiftlockError && error.code === 'not_found') return false;
    throw error;
  }
}

export function collectionOf(kind: DocumentKind): string {
  for (const [collection, held] of Object.entries(DOCUMENT_COLLECTIONS))
    if (held === kind) return collection;
  throw new LiftlockError('internal', `no collection of ${kind}`);
}
