import type { Issue } from '#kernel';
import type { Check } from '../actions/checks.js';
import { pointerOf } from '../json-pointer.js';

/** What is wrong with checks that their schema cannot tell. @param pointer of what has them */
export function issuesOfChecks(checks: readonly Check[] | undefined, pointer: string): Issue[] {
  return (checks ?? []).flatMap(({ deadlineSeconds, stableSeconds }, index): Issue[] =>
    stableSeconds < deadlineSeconds
      ? []
      : [
          {
            pointer: `${pointer}${pointerOf('checks', index, 'stableSeconds')}`,
            message: `is ${stableSeconds}, and can never be over within deadlineSeconds (${deadlineSeconds}): let that be more`,
          },
        ],
  );
}
