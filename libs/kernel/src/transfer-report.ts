/** Milliseconds between two reports. */
const EVERY_MS = 5_000;
const MIB = 1024 * 1024;

/**
 * How far a transfer is, told from time to time: a short one says nothing.
 * @example `12.0 of 64.0 MiB, 3.1 MiB/s, 17 s left`
 */
export class TransferReport {
  private toldAt: number;
  private toldDone = 0;

  /** @param now milliseconds of any clock that only goes on */
  constructor(
    private readonly say: (text: string) => void,
    private readonly now: () => number = () => performance.now(),
  ) {
    this.toldAt = now();
  }

  /** @param total as far as it is known by now: it may grow */
  at(done: number, total: number): void {
    const now = this.now();
    const elapsed = now - this.toldAt;
    if (elapsed < EVERY_MS) return;
    // less than before: an attempt was begun anew
    const perSecond = (Math.max(0, done - this.toldDone) / elapsed) * 1_000;
    this.toldAt = now;
    this.toldDone = done;
    const left = perSecond === 0 ? '' : `, ${Math.ceil((total - done) / perSecond)} s left`;
    this.say(`${mib(done)} of ${mib(total)} MiB, ${mib(perSecond)} MiB/s${left}`);
  }
}

function mib(bytes: number): string {
  return (bytes / MIB).toFixed(1);
}
