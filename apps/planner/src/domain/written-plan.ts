import { createHash } from 'node:crypto';
import { LiftlockError, writeCanonicalJson } from '#kernel';
import { MOST_PLAN_CHARACTERS, type Plan } from '#contracts';
import { PageCutter, type PlanPage } from './plan-pages.js';

/** A plan as it is stored and agreed to: nothing of it is made anew once it is written. */
export interface WrittenPlan {
  /** `sha256:<64 hex digits>` over the canonical JSON. */
  readonly digest: string;
  /** Of the canonical JSON. */
  readonly characters: number;
  /** The canonical JSON, in order. */
  readonly pages: readonly PlanPage[];
}

const MIB = 1024 * 1024;

/**
 * Spells out every step, once.
 * @throws LiftlockError `unplannable` for a plan that could be neither stored nor handed on: it is refused while nothing is touched
 */
export function writePlan(subject: string, plan: Plan, most = MOST_PLAN_CHARACTERS): WrittenPlan {
  const hash = createHash('sha256');
  const pages = new PageCutter();
  writeCanonicalJson(plan, (piece) => {
    pages.add(piece);
    if (pages.characters > most) {
      throw new LiftlockError(
        'unplannable',
        `${subject}: its plan is longer than ${Math.floor(most / MIB)} MiB, which is the most that can be handed on: ` +
          'ask for a release that fewer hops lead to, or divide the application into several',
        { retryable: false },
      );
    }
    hash.update(piece);
  });
  const { characters } = pages;
  return { digest: `sha256:${hash.digest('hex')}`, characters, pages: pages.end() };
}
