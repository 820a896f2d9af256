import {
  DOCUMENT_COLLECTIONS,
  pointerOf,
  referencesOf,
  storedDocument,
  type DocumentKind,
  type LiftlockDocument,
} from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { faultAt, type Fault, type PlacedDocument } from './read-documents.js';

/**
 * What documents name and nobody has: neither one of them, nor the server.
 * @param names `<kind> <name>` of all that are given, of those with faults, too
 */
export async function danglingReferences(
  client: ApiClient,
  documents: readonly PlacedDocument[],
  names: ReadonlySet<string>,
): Promise<Fault[]> {
  const asked = new Map<string, Promise<LiftlockDocument | undefined>>();
  const stored = (kind: DocumentKind, name: string): Promise<LiftlockDocument | undefined> => {
    const path = `/v1/${collectionOf(kind)}/${name}`;
    const known =
      asked.get(path) ?? client.find(path, storedDocument).then((found) => found?.document);
    asked.set(path, known);
    return known;
  };
  const faults: Fault[] = [];
  for (const one of documents) {
    const at = (pointer: string, message: string): number =>
      faults.push(faultAt(one.file, one, { pointer, message }));
    for (const { kinds, name, pointer } of referencesOf(one.parsed)) {
      if (kinds.some((kind) => names.has(`${kind} ${name}`))) continue;
      const found = await Promise.all(kinds.map((kind) => stored(kind, name)));
      if (found.every((document) => document === undefined))
        at(
          pointer,
          `there is no ${kinds.join(' or ')} ${name}, neither among these documents nor on the server`,
        );
    }
    if (one.parsed.kind !== 'Release') continue;
    const { application: name, components } = one.parsed.spec;
    const isGiven = names.has(`Application ${name}`);
    const given = documents.find(
      ({ parsed }) => parsed.kind === 'Application' && parsed.metadata.name === name,
    )?.parsed;
    const application = isGiven ? given : await stored('Application', name);
    if (application?.kind !== 'Application') continue;
    const known = new Set(application.spec.components.map((component) => component.name));
    for (const component of Object.keys(components))
      if (!known.has(component))
        at(
          pointerOf('spec', 'components', component),
          `the application ${name} has no component ${component}`,
        );
  }
  return faults;
}

export function collectionOf(kind: DocumentKind): string {
  for (const [collection, held] of Object.entries(DOCUMENT_COLLECTIONS))
    if (held === kind) return collection;
  throw new LiftlockError('internal', `no collection of ${kind}`);
}
