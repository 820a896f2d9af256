import type { ActionOutput, Check } from '#contracts';
import { seen, type Seen } from './check-look.js';
import { AWAY_MS } from './target-return.js';

/** Longest that one look may take, in milliseconds. */
const LOOK_MS = 10_000;
/** What one look has in any case, in milliseconds: the last one begins when the deadline has come. */
const LEAST_LOOK_MS = 2_000;

/** What one look at an instance has found. */
export interface LookResult {
  /** Nothing when there was no answer in time. */
  readonly seen: Seen | undefined;
  /** What runs, in which of its runs: with another one, what was stable begins anew. */
  readonly run?: string | undefined;
  /** Nothing but its target itself, or a person, has begun this run: with another one known before, the deadline begins anew. Default false. */
  readonly isFirstRun?: boolean;
  /** The target was there before, as far as is known, and does not answer now. Default false. */
  readonly away?: boolean;
}

export interface Looked {
  /** One look, which `signal` ends: it has taken long enough. What it throws ends the check. */
  look(signal: AbortSignal): Promise<LookResult>;
  /** Until there may be something new, and no longer than `atMostMs`. What it throws ends the check. */
  pause(atMostMs: number): Promise<void>;
  /** @param last what was seen last @param wanted what that lacked besides, if it was what is waited for; else empty */
  failed(looks: number, last: Seen, wanted: string): Promise<Error> | Error;
}

/**
 * Looks until the check passes, and has gone on passing for its stable time. At the deadline it looks once more: who stood
 * still until then, or waited for an answer, knows nothing yet.
 */
export async function untilPassed(
  { deadlineSeconds, intervalMs, stableSeconds }: Check,
  looked: Looked,
): Promise<ActionOutput<'instance.check'>> {
  let deadline = performance.now() + deadlineSeconds * 1000;
  const latest = deadline + AWAY_MS;
  let before = performance.now();
  let looks = 0;
  let passingSince: number | undefined;
  let lastRun: string | undefined;
  let knownRun: string | undefined;
  let last = seen(false, 'no answer in time');
  for (;;) {
    const began = performance.now();
    const leftMs = Math.max(deadline - began, intervalMs, LEAST_LOOK_MS);
    const result = await looked.look(AbortSignal.timeout(Math.ceil(Math.min(leftMs, LOOK_MS))));
    looks += 1;
    // it ended and was started again while nobody looked
    if (result.run !== lastRun) passingSince = undefined;
    lastRun = result.run;
    const isStable = passingSince !== undefined && began - passingSince >= stableSeconds * 1000;
    if (result.seen?.passed === true) passingSince ??= performance.now();
    else passingSince = undefined;
    // a look that was cut off saw nothing: what was seen before says more
    last = result.seen ?? last;
    const now = performance.now();
    // time without its target says nothing about the instance
    if (result.away === true) deadline = Math.min(latest, deadline + now - before);
    // and what was taken down with it has to begin from the beginning
    if (result.isFirstRun === true && knownRun !== undefined && result.run !== knownRun)
      deadline = Math.min(latest, now + deadlineSeconds * 1000);
    knownRun = result.run ?? knownRun;
    before = now;
    // from the end of the first look that passed to the beginning of this one: what happens within a look that takes long is not seen
    if (passingSince !== undefined && (isStable || stableSeconds === 0))
      return { looks, detail: last.detail };
    if (began >= deadline) {
      const wanted = last.passed ? `, but not yet for ${stableSeconds} s without a miss` : '';
      throw await looked.failed(looks, last, wanted);
    }
    await looked.pause(Math.max(0, Math.min(intervalMs, deadline - now)));
  }
}
