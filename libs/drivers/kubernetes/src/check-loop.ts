import type { ActionInput, ActionOutput } from '#contracts';
import {
  failure,
  isAway,
  isWaitedFor,
  seen,
  untilPassed,
  type LookResult,
  type Seen,
  type StepContext,
} from '#drivers/core';
import { LiftlockError } from '#kernel';
import type { Cluster } from './cluster.js';
import { abortedBy } from './errors.js';

/** Longest that is waited for what there is to say of one that did not pass, in milliseconds. */
const LAST_WORDS_MS = 10_000;

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

/** A check of something in a cluster, from its first look to its last. */
export class CheckLoop {
  constructor(
    private readonly cluster: Cluster,
    private readonly context: StepContext,
    private readonly input: ActionInput<'instance.check'>,
    private readonly checked: Checked,
  ) {}

  untilPassed(): Promise<ActionOutput<'instance.check'>> {
    return untilPassed(this.input.check, {
      look: (late) => this.lookOnce(late),
      pause: (atMostMs) => this.pause(atMostMs),
      failed: (looks, last, wanted) => this.failedError(looks, last, wanted),
    });
  }

  private async lookOnce(late: AbortSignal): Promise<LookResult> {
    const { context } = this;
    const signal = AbortSignal.any([context.signal, late]);
    let run: string | undefined;
    try {
      const looked = await this.checked.look((told) => (run = told), signal);
      return { seen: looked, run };
    } catch (error) {
      if (context.signal.aborted)
        throw abortedBy(context.signal, `checking ${this.input.container}`);
      const away = isAway(error) && isWaitedFor(this.cluster, context);
      if (late.aborted) return { seen: undefined, run, away };
      if (error instanceof LiftlockError && error.code !== 'target_unreachable') throw error;
      const what = error instanceof Error ? error.message : String(error);
      return { seen: seen(false, what), run, away };
    }
  }

  private async failedError(looks: number, last: Seen, wanted: string): Promise<LiftlockError> {
    const { container } = this.input;
    const { type, deadlineSeconds } = this.input.check;
    const signal = AbortSignal.any([this.context.signal, AbortSignal.timeout(LAST_WORDS_MS)]);
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
      await this.checked.pause(milliseconds, signal);
    } catch {
      throw abortedBy(signal, 'checking');
    }
  }
}
