import type { StepTransfer } from '#contracts';
import type { TransferState } from '#drivers/core';

/** What is told of a transfer besides whose it is. */
export type ToldTransfer = Pick<
  StepTransfer,
  'part' | 'state' | 'doneBytes' | 'totalBytes' | 'bytesPerSecond'
>;

/** Milliseconds over which the rate is taken. */
const WINDOW_MS = 5_000;
/** Less says nothing about a rate. */
const MIN_WINDOW_MS = 500;
/** Where nothing moves it is said again after this: who has just begun to listen hears of it, and who listens knows that it lives. */
const AGAIN_MS = 5_000;

/** What one attempt has to tell of its transfer, and when. It sends nothing itself. */
export class TransferTelling {
  private state: TransferState | undefined;
  private samples: { readonly at: number; readonly moved: number }[] = [];
  private isNews = false;
  private toldAt = 0;
  private ended = false;

  /** @param now milliseconds of any clock that only goes on */
  constructor(private readonly now: () => number = () => performance.now()) {}

  get isEnded(): boolean {
    return this.ended;
  }

  at(state: TransferState): void {
    if (this.ended) return;
    // another part has its own rate
    if (this.state?.part !== state.part) this.samples = [this.sample(state)];
    this.state = state;
    this.isNews = true;
  }

  /** To be asked once a second. @returns nothing when there is nothing worth a message. */
  due(): ToldTransfer | undefined {
    const { state } = this;
    if (state === undefined || this.ended) return undefined;
    const bytesPerSecond = this.rate(state);
    if (!this.isNews && this.now() - this.toldAt < AGAIN_MS) return undefined;
    this.isNews = false;
    this.toldAt = this.now();
    return {
      ...told(state, 'running'),
      ...(bytesPerSecond === undefined ? {} : { bytesPerSecond }),
    };
  }

  /** Nothing is told after it. @returns the last word, where there was a transfer and it is not said already. */
  end(succeeded: boolean): ToldTransfer | undefined {
    if (this.ended) return undefined;
    this.ended = true;
    return this.state && told(this.state, succeeded ? 'done' : 'stopped');
  }

  private rate(state: TransferState): number | undefined {
    const { samples } = this;
    const last = this.sample(state);
    // less than before: begun anew
    if (last.moved < (samples.at(-1)?.moved ?? 0)) samples.length = 0;
    samples.push(last);
    while ((samples[1]?.at ?? last.at) <= last.at - WINDOW_MS) samples.shift();
    const first = samples[0] ?? last;
    const elapsed = last.at - first.at;
    if (elapsed < MIN_WINDOW_MS) return undefined;
    return whole(((last.moved - first.moved) * 1_000) / elapsed);
  }

  private sample({ doneBytes, movedBytes = doneBytes }: TransferState) {
    return { at: this.now(), moved: movedBytes };
  }
}

function told(
  { part, doneBytes, totalBytes }: TransferState,
  state: ToldTransfer['state'],
): ToldTransfer {
  const done = whole(doneBytes);
  return { part, state, doneBytes: done, totalBytes: Math.max(done, whole(totalBytes)) };
}

function whole(bytes: number): number {
  return Math.max(0, Math.round(bytes));
}
