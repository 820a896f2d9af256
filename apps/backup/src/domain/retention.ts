import type { Retention } from '#contracts';
import { assertNever } from '#kernel';

/** What is known of one backup when it is decided whether it stays. */
export interface Candidate {
  /** Rules hold for each of these by itself. */
  readonly instance: string;
  readonly createdAt: string;
  /** `whole`: its files are there, and nothing is known against them. `missing`: its folder is gone. */
  readonly state: 'whole' | 'corrupt' | 'missing';
  /** It is of several moments: a good one that is not stays beside it. */
  readonly fuzzy?: boolean | undefined;
  /** Why a rollback may need it, or why that cannot be told. */
  readonly heldBecause?: string | undefined;
  /** That its upgrade went to. */
  readonly release?: string | undefined;
}

export interface Judgement<C extends Candidate> {
  readonly candidate: C;
  readonly keep: boolean;
  /** Why it stays, or may go. */
  readonly because: string;
}

const DAY_MS = 24 * 3_600 * 1_000;

/**
 * A backup stays when a rollback may need it, when it is its instance's last good one, or the last good one that is not fuzzy, or when one of the rules keeps it. Only whole ones are
 * counted by the rules: a corrupt one must not push a good one out.
 * @param newestFirst of any instances
 */
export function judge<C extends Candidate>(
  newestFirst: readonly C[],
  rules: Retention,
  now: Date,
): Judgement<C>[] {
  const seen = new Map<string, { whole: number; sharp: number; releases: Set<string> }>();
  const instancesWithGood = new Set(
    newestFirst.filter(({ state }) => state === 'whole').map(({ instance }) => instance),
  );
  return newestFirst.map((candidate) => {
    const { instance, state, fuzzy } = candidate;
    const before = seen.get(instance) ?? { whole: 0, sharp: 0, releases: new Set<string>() };
    seen.set(instance, before);
    const why = keptBecause(candidate, before, rules, now, instancesWithGood.has(instance));
    if (state === 'whole') {
      before.whole += 1;
      if (fuzzy !== true) before.sharp += 1;
      if (candidate.release !== undefined) before.releases.add(candidate.release);
    }
    return why === undefined
      ? { candidate, keep: false, because: GOES[state] }
      : { candidate, keep: true, because: why };
  });
}

const GOES: Readonly<Record<Candidate['state'], string>> = {
  whole: 'no rule keeps it',
  corrupt: 'it is not as it was written, and there is a good one',
  missing: 'its folder is gone',
};

/** @param before what is newer of the same instance */
function keptBecause(
  { createdAt, state, fuzzy, heldBecause, release, instance }: Candidate,
  before: {
    readonly whole: number;
    readonly sharp: number;
    readonly releases: ReadonlySet<string>;
  },
  { keepLast, keepDays, keepReleases }: Retention,
  now: Date,
  hasGood: boolean,
): string | undefined {
  if (heldBecause !== undefined) return heldBecause;
  switch (state) {
    case 'missing':
      return undefined;
    case 'corrupt':
      if (!hasGood) return `there is no good one of ${instance}: something of it may yet be saved`;
      break;
    case 'whole':
      if (before.whole === 0) return `it is the last good one of ${instance}`;
      if (fuzzy !== true && before.sharp === 0)
        return `it is the last good one of ${instance} that is not fuzzy`;
      if (keepLast !== undefined && before.whole < keepLast)
        return `it is one of the last ${keepLast}`;
      if (
        keepReleases !== undefined &&
        release !== undefined &&
        !before.releases.has(release) &&
        before.releases.size < keepReleases
      )
        return `it is the newest before release ${release}`;
      break;
    default:
      return assertNever(state);
  }
  const age = now.getTime() - Date.parse(createdAt);
  if (keepDays !== undefined && age < keepDays * DAY_MS)
    return `it is younger than ${keepDays} ${keepDays === 1 ? 'day' : 'days'}`;
  return undefined;
}
