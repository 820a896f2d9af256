import { assertNever } from '#kernel';
import { pointerOf } from '../json-pointer.js';
import type { DocumentKind, LiftlockDocument } from './documents.js';

/** Another document that one names. */
export interface DocumentReference {
  /** It may be of any of these. */
  readonly kinds: readonly DocumentKind[];
  readonly name: string;
  readonly pointer: string;
}

/** What a document names: it is of no use without. */
export function referencesOf(document: LiftlockDocument): DocumentReference[] {
  switch (document.kind) {
    case 'Environment': {
      const before = document.spec.policy.promotion?.from;
      if (before === undefined) return [];
      const pointer = pointerOf('spec', 'policy', 'promotion', 'from');
      return [{ kinds: ['Environment'], name: before, pointer }];
    }
    case 'Application':
      return (document.spec.chains ?? []).flatMap((name, index) =>
        // what is in a cluster is looked for when a plan is made
        typeof name === 'string'
          ? {
              kinds: ['UpgradeChain', 'ServiceTemplateChain'] as const,
              name,
              pointer: pointerOf('spec', 'chains', index),
            }
          : [],
      );
    case 'Release':
    case 'UpgradeChain':
      return [
        {
          kinds: ['Application'],
          name: document.spec.application,
          pointer: pointerOf('spec', 'application'),
        },
      ];
    case 'ServiceTemplateChain':
      // templates are the releases of these names; they come and go, and a plan says which one it lacks
      return [];
    default:
      return assertNever(document, 'document');
  }
}
