import type { HistoryEvent, TransferKind, TransferPart, UpgradeProgress } from '#contracts';
import { bar } from '../show/bar.js';
import { dataOf } from '../show/event-data.js';
import type { StepPlace } from '../show/step-places.js';
import { bytes, duration } from '../show/text.js';

/** Of which steps a plan says how many there will be: what is restored follows from what fails. */
const COUNTED: Readonly<Record<string, TransferKind>> = {
  'image.mirror': 'images',
  'image.prepare': 'images',
  'data.snapshot': 'snapshots',
};
/** Said where the step's title does not say it. */
const WORDS: Partial<Record<TransferPart, string>> = { read: 'reading', restore: 'putting back' };

type Measure = Omit<UpgradeProgress['totals'][number], 'kind' | 'running'>;

/**
 * How far transfers are: a bar for each step under way, and one for all of a kind. Pure: bytes are as the fleet says them, which may be lost;
 * how many steps are done follows from plan and history, which are not.
 */
export class TransferBars {
  private readonly counted = new Map<string, TransferKind>();
  private readonly done = new Set<string>();
  private heard: UpgradeProgress | undefined;

  setPlaces(places: ReadonlyMap<string, StepPlace>): void {
    this.counted.clear();
    for (const [step, { action = '' }] of places) {
      const kind = Object.hasOwn(COUNTED, action) ? COUNTED[action] : undefined;
      if (kind !== undefined) this.counted.set(step, kind);
    }
  }

  apply(event: HistoryEvent): void {
    const { step, outcome } = dataOf(event);
    if (step === undefined) return;
    switch (event.type) {
      case 'step-succeeded':
      case 'step-skipped':
        this.done.add(step);
        break;
      case 'step-resolved':
        if (outcome === 'succeeded') this.done.add(step);
        break;
      default:
    }
  }

  hear(progress: UpgradeProgress): void {
    this.heard = progress;
  }

  /** Nobody is heard any more: what was said last is no news. */
  forget(): void {
    this.heard = undefined;
  }

  /** `██████░░░░░░░░░░░░░░░░░░  12.0 MiB of 64.0 MiB  3.1 MiB/s  17.0 s left` */
  of(step: string): string | undefined {
    const said = this.heard?.steps.find((one) => one.step === step);
    if (said === undefined) return undefined;
    const word = WORDS[said.part];
    return [...(word === undefined ? [] : [word]), ...texts(said, 'left')].join('  ');
  }

  /** `images: 3 of 12 done  █████…`, for each kind of which something is under way */
  totals(): string[] {
    return (this.heard?.totals ?? []).flatMap(({ kind, running, ...measure }) => {
      const steps = [...this.counted].filter(([, its]) => its === kind).map(([step]) => step);
      const done = steps.filter((step) => this.done.has(step)).length;
      // the history was faster than what is told of bytes
      if (steps.length > 0 && done === steps.length) return [];
      const count = steps.length === 0 ? '' : `: ${done} of ${steps.length} done`;
      // how large what has not begun is, nobody knows yet
      const left = done + running < steps.length ? 'left of what is under way' : 'left';
      return [`${kind}${count}`, ...texts(measure, left)].join('  ');
    });
  }
}

function texts(
  { doneBytes, totalBytes, bytesPerSecond, secondsLeft }: Measure,
  left: string,
): string[] {
  return [
    bar(doneBytes, totalBytes),
    `${bytes(doneBytes)} of ${bytes(totalBytes)}`,
    ...(bytesPerSecond === undefined ? [] : [`${bytes(bytesPerSecond)}/s`]),
    ...(secondsLeft === undefined ? [] : [`${duration(secondsLeft * 1_000)} ${left}`]),
  ];
}
