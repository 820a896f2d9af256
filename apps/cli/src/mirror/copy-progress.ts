import { ProgressTotals, type CopyResult } from '#oci';
import type { Output } from '../output.js';
import { bar } from '../show/bar.js';
import { LiveLines } from '../show/live-lines.js';
import { bytes, duration } from '../show/text.js';

const WINDOW_MS = 5_000;

/** What several copies look like to the one who waits: a line each while they go on, on a terminal, and one that stays when they end. */
export class CopyBoard {
  private readonly running = new Map<string, ProgressTotals>();
  private readonly rate = new Rate();
  private readonly lines: LiveLines;
  private readonly began = performance.now();

  constructor(output: Output) {
    this.lines = LiveLines.on(output, true, (mark) => this.live(mark));
    this.lines.start();
  }

  begin(name: string): ProgressTotals {
    let before = 0;
    const totals = new ProgressTotals(({ movedBytes }) => {
      this.rate.add(movedBytes - before);
      before = movedBytes;
    });
    this.running.set(name, totals);
    return totals;
  }

  succeeded(name: string, result: CopyResult): void {
    this.running.delete(name);
    const { there, mounted, uploaded } = result.blobs;
    const how =
      result.found === 'there'
        ? 'was there'
        : `${bytes(result.bytes)}; blobs: ${uploaded} sent, ${mounted} mounted, ${there} there`;
    const companions = result.referrers === 0 ? '' : `; with ${result.referrers} that refer to it`;
    this.lines.print([`${name}  ${result.digest}  (${how}${companions})`]);
  }

  failed(name: string, why: string): void {
    this.running.delete(name);
    this.lines.print([`${name}  FAILED: ${why}`]);
  }

  stop(): void {
    this.lines.stop();
  }

  get elapsedMs(): number {
    return performance.now() - this.began;
  }

  private live(mark: string): string[] {
    const perSecond = this.rate.perSecond();
    const images = [...this.running].map(([name, progress]) => ({ name, ...progress.totals() }));
    const left = images.reduce((sum, one) => sum + one.totalBytes - one.doneBytes, 0);
    const shown = images.map(
      ({ name, doneBytes, totalBytes }) =>
        `${mark} ${bar(doneBytes, totalBytes)} ${bytes(doneBytes)} of ${bytes(totalBytes)}  ${name}`,
    );
    if (perSecond === 0) return shown;
    return [...shown, `  ${bytes(perSecond)}/s, ${duration((left / perSecond) * 1_000)} left`];
  }
}

/** Bytes a second over the last few seconds. */
class Rate {
  private readonly moved: { readonly at: number; readonly bytes: number }[] = [];

  add(count: number): void {
    if (count > 0) this.moved.push({ at: performance.now(), bytes: count });
  }

  perSecond(): number {
    const now = performance.now();
    while ((this.moved[0]?.at ?? now) < now - WINDOW_MS) this.moved.shift();
    const since = this.moved[0]?.at ?? now;
    const sum = this.moved.reduce((all, one) => all + one.bytes, 0);
    return now - since < 200 ? 0 : (sum / (now - since)) * 1_000;
  }
}
