import {
  isFinal,
  logPage,
  plan,
  upgradeView,
  type UpgradeProgress,
  type UpgradeView,
} from '#contracts';
import { LiftlockError } from '#kernel';
import type { ApiClient } from '../api/client.js';
import { followEvents } from '../api/follow-events.js';
import { upgradePath } from '../api/paths.js';
import type { Output } from '../output.js';
import type { Colours } from '../show/colours.js';
import { LiveLines } from '../show/live-lines.js';
import { ProgressLines } from '../show/progress-lines.js';
import { stepPlaces } from '../show/step-places.js';
import { printable } from '../show/text.js';
import { summaryLines, upgradeTitle } from '../show/upgrade-summary.js';
import { TransferBars } from './transfer-bars.js';

export interface WatchOptions {
  readonly output: Output;
  readonly colours: Colours;
  /** Progress goes to standard error: standard output is a program's. Default `false`. */
  readonly toError?: boolean;
  readonly signal?: AbortSignal;
  /** Begins each line; default nothing. */
  readonly indent?: string;
  /** Whether the upgrade is named first; default `true`. */
  readonly heading?: boolean;
  /** Milliseconds without contact after which it is given up. */
  readonly patienceMs?: number;
}

/** Lines of a failed step's log that are shown. */
const LOG_TAIL = 5;

/**
 * Shows an upgrade from its beginning on, line by line, until it ends or waits for a person.
 * @returns what has become of it.
 */
export async function watchUpgrade(
  client: ApiClient,
  id: string,
  options: WatchOptions,
): Promise<UpgradeView> {
  const { output, colours, signal, indent = '', toError = false } = options;
  const isTerminal = toError ? output.isErrorTerminal : output.isTerminal;
  const progress = new ProgressLines(
    colours,
    isTerminal ? output.width() - indent.length : undefined,
  );
  const bars = new TransferBars();
  const live = LiveLines.on(
    output,
    toError,
    (mark) => {
      const now = Date.now();
      return progress.active.map((step) => {
        const line = `${indent}${progress.activeLine(step, now, mark)}`;
        const transfer = bars.of(step.step);
        return transfer === undefined ? line : `${line}\n${indent}    ${colours.dim(transfer)}`;
      });
    },
    () => bars.totals().map((total) => `${indent}  ${total}`),
  );
  const print = (lines: readonly string[]): void =>
    live.print(lines.map((line) => `${indent}${line}`));
  const view = async (): Promise<UpgradeView> => client.get(upgradePath(id), upgradeView);
  if (options.heading !== false) print([colours.bold(`${id}  ${upgradeTitle(await view())}`)]);
  live.start();
  try {
    let last: UpgradeView | undefined;
    for await (const event of followEvents(client, id, {
      ...(signal === undefined ? {} : { signal }),
      ...(options.patienceMs === undefined ? {} : { patienceMs: options.patienceMs }),
      onContact: (there) => {
        if (!there) bars.forget();
        print([colours.warn(there ? '• in contact again' : '• contact is lost: trying again')]);
      },
      // without a terminal nothing of it is shown
      ...(isTerminal ? { onProgress: (heard: UpgradeProgress) => bars.hear(heard) } : {}),
    })) {
      const said = progress.apply(event);
      bars.apply(event);
      if (said.planned === true) {
        const places = await placesOf(client, id);
        progress.setPlaces(places);
        bars.setPlaces(places);
      }
      print(said.lines);
      if (said.failed !== undefined)
        print(await logTail(client, id, said.failed.step, said.failed.reason));
      if (event.type !== 'upgrade-needs-attention') continue;
      // history is told from its beginning: only if it waits now, it is for a person to go on
      last = await view();
      if (last.state === 'needs_attention') break;
    }
    if (last?.state !== 'needs_attention') last = await view();
    print(summaryLines(last, colours, new Date()));
    return last;
  } finally {
    live.stop();
  }
}

async function placesOf(client: ApiClient, id: string) {
  try {
    return stepPlaces(await client.get(`${upgradePath(id)}/plan`, plan));
  } catch (error) {
    // it only makes the lines nicer; whatever is wrong will be told by the events
    if (error instanceof LiftlockError) return new Map<string, never>();
    throw error;
  }
}

/** The last that a step had to say, as far as it is to be had, without the reason that was told already. */
async function logTail(
  client: ApiClient,
  id: string,
  step: string,
  told: string,
): Promise<string[]> {
  try {
    const { lines } = await client.get(`${upgradePath(id)}/logs`, logPage, { step, limit: 500 });
    return lines
      .filter(({ text }) => !text.includes(told))
      .slice(-LOG_TAIL)
      .map(({ text }) => `    | ${printable(text)}`);
  } catch (error) {
    if (error instanceof LiftlockError)
      return [`    | (its log cannot be read now: ${error.code})`];
    throw error;
  }
}

/** Whether there is nothing more to come. */
export function isOver(view: UpgradeView): boolean {
  return isFinal(view.state) || view.state === 'needs_attention';
}
