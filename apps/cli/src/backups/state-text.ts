import type { ListedBackup } from '#contracts';
import { assertNever } from '#kernel';

/** What is known of a backup, in a word or two. */
export function stateText(backup: ListedBackup): string {
  const state = wordsFor(backup);
  // read back well, and all the same of several moments
  return backup.fuzzy === undefined ? state : `${state}, fuzzy`;
}

function wordsFor({ present, incompleteSince, verification }: ListedBackup): string {
  if (present === false) return 'missing';
  if (incompleteSince !== undefined) return 'half restored';
  if (verification === undefined) return 'not verified';
  switch (verification.state) {
    case 'running':
      return 'being verified';
    case 'whole':
      return 'whole';
    case 'corrupt':
      return 'corrupt';
    case 'stopped':
      return verification.problem === undefined ? 'not verified' : 'corrupt';
    default:
      return assertNever(verification.state);
  }
}
