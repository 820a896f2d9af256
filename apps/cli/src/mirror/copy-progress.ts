import { TransferReport } from '#kernel';
import { ProgressTotals, type CopyResult } from '#oci';
import type { Output } from '../output.js';
import { bar } from '../show/bar.js';
import { LiveLines } from '../show/live-lines.js';
import { bytes, duration } from '../show/text.js';
import { Rate } from './rate.js';

interface Running {
  readonly totals: ProgressTotals;
  readonly rate: Rate;
}

/**
 * What several copies look like to the one who waits: a bar each while they go on, and one of all, on a terminal; elsewhere a line from time
 * to time; and one that stays when they end.
 */
export class CopyBoard {
  private readonly running = new Map<string, Running>();
  private readonly rate = new Rate();
  private readonly lines: LiveLines;
  private readonly began = performance.now();
  /** Images in all, where it is known. */
  private expected: number | undefined;
  private ended = 0;
  /** Bytes of those that have ended. */
  private endedBytes = 0;

  constructor(private readonly output: Output) {
    this.lines = LiveLines.on(
      output,
      true,
      (mark) => this.live(mark),
      () => this.all(),
    );
    this.lines.start();
  }

  /** How many images there will be. */
  expect(count: number): void {
    this.expected = count;
  }

  begin(name: string): ProgressTotals {
    const rate = new Rate();
    const report = new TransferReport((text) => this.say(`${name}  ${text}`));
    let before = 0;
    const totals = new ProgressTotals(({ movedBytes, doneBytes, totalBytes }) => {
      rate.add(movedBytes - before);
      this.rate.add(movedBytes - before);
      before = movedBytes;
      if (doneBytes > 0 && doneBytes < totalBytes) report.at(doneBytes, totalBytes);
    });
    this.running.set(name, { totals, rate });
    return totals;
  }

  succeeded(name: string, result: CopyResult): void {
    this.end(name);
    const { there, mounted, uploaded } = result.blobs;
    const how =
      result.found === 'there'
        ? 'was there'
        : `${bytes(result.bytes)}; blobs: ${uploaded} sent, ${mounted} mounted, ${there} there`;
    const companions = result.referrers === 0 ? '' : `; with ${result.referrers} that refer to it`;
    this.lines.print([`${name}  ${result.digest}  (${how}${companions})`]);
  }

  failed(name: string, why: string): void {
    this.end(name);
    this.lines.print([`${name}  FAILED: ${why}`]);
  }

  stop(): void {
    this.lines.stop();
  }

  get elapsedMs(): number {
    return performance.now() - this.began;
  }

  private end(name: string): void {
    this.ended += 1;
    this.endedBytes += this.running.get(name)?.totals.totals().doneBytes ?? 0;
    this.running.delete(name);
  }

  /** Where no bars are drawn: who only sees a log must see that it goes on. */
  private say(text: string): void {
    if (!this.output.isErrorTerminal) this.output.writeError(`${text}\n`);
  }

  /** `⠋ ██████░░░░  12.0 MiB of 64.0 MiB  3.1 MiB/s  17.0 s left  mirror.example/app:1.0` */
  private live(mark: string): string[] {
    return [...this.running].map(([name, { totals, rate }]) => {
      const { doneBytes, totalBytes } = totals.totals();
      return `${mark} ${measure(doneBytes, totalBytes, rate.perSecond())}  ${name}`;
    });
  }

  /** `3 of 12 images  ██████░░░░  …`, where there are several. */
  private all(): string[] {
    const begun = this.ended + this.running.size;
    const expected = Math.max(this.expected ?? 0, begun);
    if (expected <= 1) return [];
    let [done, total] = [this.endedBytes, this.endedBytes];
    for (const { totals } of this.running.values()) {
      const { doneBytes, totalBytes } = totals.totals();
      done += doneBytes;
      total += totalBytes;
    }
    // how large what has not begun is, nobody knows yet
    const left = begun < expected ? 'left of what is under way' : 'left';
    return [
      `  ${this.ended} of ${expected} images  ${measure(done, total, this.rate.perSecond(), left)}`,
    ];
  }
}

function measure(done: number, total: number, perSecond: number, left = 'left'): string {
  const rate = perSecond === 0 ? [] : [`${bytes(Math.round(perSecond))}/s`];
  const time =
    perSecond === 0 || done >= total
      ? []
      : [`${duration(((total - done) / perSecond) * 1_000)} ${left}`];
  return [bar(done, total), `${bytes(done)} of ${bytes(total)}`, ...rate, ...time].join('  ');
}
