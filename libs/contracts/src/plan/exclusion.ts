import { z } from 'zod';
import { name } from '../names.js';
import type { Change } from './plan.js';

/** Of one request; a target stands for all of its instances. */
export const MOST_EXCLUSIONS = 1_000;

/** What an upgrade leaves as it is: every instance of the application on a target, or a single one. */
export const exclusion = z.union([
  z.strictObject({ target: name }),
  z.strictObject({
    /** `<component>@<target>` */
    instance: z
      .string()
      .regex(
        /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?@[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
        'must be <component>@<target>',
      ),
  }),
]);
export type Exclusion = z.infer<typeof exclusion>;

/** How many are named; the plan has each of them. */
const NAMED = 10;

/** The instances that a plan leaves out, for a sentence; undefined: none. */
export function leftOutText(
  changes: ReadonlyArray<Pick<Change, 'instance' | 'leftOut'>>,
): string | undefined {
  const all = changes.filter(({ leftOut }) => leftOut === true).map(({ instance }) => instance);
  if (all.length === 0) return undefined;
  const more = all.length - NAMED;
  const named = all.slice(0, NAMED).join(', ');
  return more > 0 ? `${named} and ${more} more` : named;
}
