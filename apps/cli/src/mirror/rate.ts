const WINDOW_MS = 5_000;
/** Bytes are added up in steps of so many milliseconds: one entry for each piece would be a list of thousands. */
const STEP_MS = 100;
/** A rate of less than this says nothing yet. */
const LEAST_MS = 200;

/** Bytes a second over the last few seconds. */
export class Rate {
  private readonly steps: { readonly at: number; bytes: number }[] = [];

  /** @param now milliseconds of any clock that only goes on */
  constructor(private readonly now: () => number = () => performance.now()) {}

  /** @param count negative where an attempt is begun anew: what moved has moved all the same */
  add(count: number): void {
    if (count <= 0) return;
    const now = this.now();
    const last = this.steps.at(-1);
    if (last !== undefined && now - last.at < STEP_MS) {
      last.bytes += count;
      return;
    }
    this.steps.push({ at: now, bytes: count });
    this.forget(now);
  }

  /** 0 where nothing moves, or not long enough to tell. */
  perSecond(): number {
    const now = this.now();
    this.forget(now);
    const since = this.steps[0]?.at ?? now;
    if (now - since < LEAST_MS) return 0;
    const sum = this.steps.reduce((all, one) => all + one.bytes, 0);
    return (sum / (now - since)) * 1_000;
  }

  private forget(now: number): void {
    while ((this.steps[0]?.at ?? now) < now - WINDOW_MS) this.steps.shift();
  }
}
