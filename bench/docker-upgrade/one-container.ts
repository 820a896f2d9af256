import { freePort } from '#fleet';
import { inPairs, pairCase } from '../support/pairs.js';
import { Probe } from '../support/probe.js';
import type { Case } from '../support/report.js';
import { medianOf, overheads, type Overhead } from './overhead.js';
import { subjectNamed, urlOf, type Stage } from './stage.js';

// One container with 64 MiB of data in 2,000 files: how long is the service away, how long does it take in all, what do steps cost?

const PAIRS = 9;
/** Upgrades that nobody looks at meanwhile, for what the steps cost: the look itself takes a good part of a core. */
const UNWATCHED = 5;
const FILES = 2_000;
const FILE_KIB = 32;
const DOWNTIME_BAR = 1.1;
const WALL_BAR = 1.3;
const OVERHEAD_BAR_MS = 25;
const NAME = 'one';

interface Run {
  readonly downtimeMs: number;
  readonly wallMs: number;
}

export async function oneContainer(stage: Stage): Promise<Case[]> {
  const subject = subjectNamed(NAME, await freePort());
  await stage.fill(subject, FILES, FILE_KIB);
  await stage.apply(NAME, [[subject]]);
  const watched = async (upgrade: () => Promise<number>): Promise<Run> => {
    await stage.startOld([subject]);
    const probe = new Probe(urlOf(subject));
    const wallMs = await upgrade();
    return { wallMs, downtimeMs: await probe.stop() };
  };
  const byLiftlock = (): Promise<Run> => watched(async () => (await stage.byLiftlock(NAME)).wallMs);
  const byScript = (): Promise<Run> => watched(() => stage.byScript([[subject]]));

  // not counted: the first one builds the helper image, which both then use
  await byLiftlock();
  await byScript();
  const { ours, theirs } = await inPairs(PAIRS, byLiftlock, byScript);
  const steps: Overhead[] = [];
  for (let round = 0; round < UNWATCHED; round += 1) {
    await stage.startOld([subject]);
    steps.push(...overheads((await stage.byLiftlock(NAME)).history));
  }
  await stage.removeContainersAndVolumes([subject]);
  const compared = (what: keyof Run, bar: number): Case =>
    pairCase(
      { bench: 'docker-upgrade', case: what, unit: 'ms', bar, beside: 'shell script' },
      ours.map((one) => one[what]),
      theirs.map((one) => one[what]),
    );
  return [
    compared('downtimeMs', DOWNTIME_BAR),
    compared('wallMs', WALL_BAR),
    ...(['total', 'toStart', 'around', 'toResult'] as const).map((part): Case => {
      const value = medianOf(steps, part);
      const bar = part === 'total' ? OVERHEAD_BAR_MS : null;
      return {
        bench: 'docker-upgrade',
        case: `overhead per step, p50: ${part}`,
        value,
        unit: 'ms',
        against: 'the action itself',
        ratio: null,
        bar,
        holds: bar === null || value <= bar,
      };
    }),
  ];
}
