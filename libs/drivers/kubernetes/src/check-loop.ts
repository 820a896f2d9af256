import type { ActionInput, ActionOutput } from '#contracts';
import {
  AWAY_MS,
  failure,
  isAway,
  isWaitedFor,
  seen,
  type Seen,
  type StepContext,
} from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy } from './errors.js';

/** Longest that one look may take, in milliseconds. */
const LOOK_MS = 10_000;
/** What one look has in any case, in milliseconds: the last one begins when the deadline has come. */
const LEAST_LOOK_MS = 2_000;

/** What is looked at. */
export interface Checked {
  /** As people call it. */
  readonly title: string;
  /**
   * One look.
   * @param runs is told what runs, in which of its runs, as soon as it is known: with another one, what was stable begins anew
   * @throws LiftlockError when no later look can pass
   */
  look(runs: (run: string) => void, signal: AbortSignal): Promise<Seen>;
  /** What there is to say of one that did not pass, `why` going on from what was seen last. */
  lastWords(
    signal: AbortSignal,
  ): Promise<{ readonly why: string; readonly log: readonly string[] }>;
  /** Until there may be something new, and no longer than `atMostMs`. */
  pause(atMostMs: number, signal: AbortSignal): Promise<void>;
}

interface LookResult {
  /** Nothing when there was no answer in time. */
  readonly seen: Seen | undefined;
  readonly run?: string | undefined;
  /** The cluster was there before, and does not answer now. */
  readonly away?: boolean;
}

/** Looks until the check passes, and has gone on passing for its stable time. At the deadline it looks once more. */
export class CheckLoop {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly input: ActionInput<'instance.check'>,
    private readonly checked: Checked,
  ) {}

  async untilPassed(): Promise<ActionOutput<'instance.check'>> {
    const { deadlineSeconds, intervalMs, stableSeconds } = this.input.check;
    let deadline = performance.now() + deadlineSeconds * 1000;
    const latest = deadline + AWAY_MS;
    let before = performance.now();
    let looks = 0;
    let passingSince: number | undefined;
    let lastRun: string | undefined;
    let last = seen(false, 'no answer in time');
    for (;;) {
      const began = performance.now();
      const left = Math.max(deadline - began, intervalMs, LEAST_LOOK_MS);
      const result = await this.lookOnce(left);
      looks += 1;
      // a pod of it ended, and another run has begun while nobody looked
      if (result.run !== lastRun) passingSince = undefined;
      lastRun = result.run;
      const isStable = passingSince !== undefined && began - passingSince >= stableSeconds * 1000;
      if (result.seen?.passed === true) passingSince ??= performance.now();
      else passingSince = undefined;
      // a look that was cut off saw nothing: what was seen before says more
      last = result.seen ?? last;
      const now = performance.now();
      // time without the API server says nothing about the instance
      if (result.away) deadline = Math.min(latest, deadline + now - before);
      before = now;
      if (passingSince !== undefined && (isStable || stableSeconds === 0))
        return { looks, detail: last.detail };
      if (began >= deadline) throw await this.failedError(looks, last);
      await this.pause(Math.min(intervalMs, deadline - now));
    }
  }

  private async lookOnce(leftMs: number): Promise<LookResult> {
    const { context } = this;
    const timeout = AbortSignal.timeout(Math.ceil(Math.min(leftMs, LOOK_MS)));
    const signal = AbortSignal.any([context.signal, timeout]);
    let run: string | undefined;
    try {
      const looked = await this.checked.look((told) => (run = told), signal);
      return { seen: looked, run };
    } catch (error) {
      if (context.signal.aborted)
        throw abortedBy(context.signal, `checking ${this.input.container}`);
      const away = isAway(error) && isWaitedFor(this.cluster, context);
      if (timeout.aborted) return { seen: undefined, run, away };
      if (error instanceof LiftlockError && error.code !== 'target_unreachable') throw error;
      const what = error instanceof Error ? error.message : String(error);
      return { seen: seen(false, what), run, away };
    }
  }

  private async failedError(looks: number, last: Seen): Promise<LiftlockError> {
    const { container } = this.input;
    const { type, deadlineSeconds, stableSeconds } = this.input.check;
    const wanted = last.passed ? `, but not yet for ${stableSeconds} s without a miss` : '';
    const signal = AbortSignal.any([this.context.signal, AbortSignal.timeout(LEAST_LOOK_MS)]);
    const { why, log } = await this.checked
      .lastWords(signal)
      .catch(() => ({ why: '', log: [] as readonly string[] }));
    return failure(
      `the ${type} check of ${this.checked.title} on ${this.cluster.name} did not pass within ${deadlineSeconds} s; ` +
        `last seen: ${last.detail}${wanted}${why}`,
      { container, check: type, looks, lastSeen: last.detail, log },
    );
  }

  /** What only the cluster tells comes without being asked for. */
  private async pause(milliseconds: number): Promise<void> {
    const { signal } = this.context;
    try {
      await this.checked.pause(Math.max(0, milliseconds), signal);
    } catch {
      throw abortedBy(signal, 'checking');
    }
  }
}
