import { freePort } from '#fleet';
import { inPairs, pairCase } from '../support/pairs.js';
import { Probe } from '../support/probe.js';
import { median, type Case } from '../support/report.js';
import { subjectNamed, urlOf, type Stage, type Subject } from './stage.js';

// 20 containers with 4 MiB of data each, in 4 waves of 5.

const PAIRS = 7;
const WAVES = 4;
const WAVE = 5;
const FILES = 128;
const FILE_KIB = 32;
const DOWNTIME_BAR = 1.05;
const WALL_BAR = 1.0;
/** Milliseconds between two looks at one service: 20 of them, looked at more often, would be most of the load. */
const LOOK_EVERY_MS = 50;
const NAME = 'twenty';

interface Run {
  readonly wallMs: number;
  /** Of each container. */
  readonly downtimesMs: readonly number[];
}

export async function twentyContainers(stage: Stage): Promise<Case[]> {
  const waves: Subject[][] = [];
  for (let wave = 0; wave < WAVES; wave += 1) {
    const subjects: Subject[] = [];
    for (let n = 0; n < WAVE; n += 1)
      subjects.push(subjectNamed(`w${wave}-${n}`, await freePort()));
    waves.push(subjects);
  }
  const all = waves.flat();
  for (const subject of all) await stage.fill(subject, FILES, FILE_KIB);
  await stage.apply(NAME, waves);
  const watched = async (upgrade: () => Promise<number>): Promise<Run> => {
    await stage.startOld(all);
    const probes = all.map((subject) => new Probe(urlOf(subject), LOOK_EVERY_MS));
    const wallMs = await upgrade();
    return { wallMs, downtimesMs: await Promise.all(probes.map((probe) => probe.stop())) };
  };
  const byLiftlock = (): Promise<Run> => watched(async () => (await stage.byLiftlock(NAME)).wallMs);
  const byScript = (): Promise<Run> => watched(() => stage.byScript(waves));

  // not counted: the first one builds the helper image, which both then use
  await byLiftlock();
  await byScript();
  const { ours, theirs } = await inPairs(PAIRS, byLiftlock, byScript);
  await stage.removeContainersAndVolumes(all);
  const bench = { bench: 'docker-upgrade', unit: 'ms', beside: 'the same waves with xargs -P' };
  return [
    pairCase(
      { ...bench, case: '20 containers in waves of 5: wallMs', bar: WALL_BAR },
      ours.map(({ wallMs }) => wallMs),
      theirs.map(({ wallMs }) => wallMs),
    ),
    pairCase(
      {
        ...bench,
        case: '20 containers in waves of 5: downtimeMs per container',
        bar: DOWNTIME_BAR,
      },
      ours.map(({ downtimesMs }) => median(downtimesMs)),
      theirs.map(({ downtimesMs }) => median(downtimesMs)),
    ),
  ];
}
