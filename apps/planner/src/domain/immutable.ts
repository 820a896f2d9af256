import { canonicalJson, LiftlockError } from '#kernel';
import type { LiftlockDocument } from '#contracts';

/**
 * A `ServiceTemplateChain`'s spec never changes: k0rdent refuses it, so that what was agreed to stays what is walked.
 * @throws LiftlockError `invalid_document` in the words of Kubernetes.
 */
export function assertMayChange(present: LiftlockDocument, wanted: LiftlockDocument): void {
  if (wanted.kind !== 'ServiceTemplateChain' || present.kind !== 'ServiceTemplateChain') return;
  if (canonicalJson(present.spec) === canonicalJson(wanted.spec)) return;
  const message = 'Invalid value: "object": Spec is immutable';
  throw new LiftlockError(
    'invalid_document',
    `ServiceTemplateChain ${wanted.metadata.name} is invalid: spec: ${message}: give the changed chain a name of its own`,
    { issues: [{ pointer: '/spec', message }] },
  );
}
