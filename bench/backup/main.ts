import { mebibytes } from '#kernel';
import { inPairs, pairCase } from '../support/pairs.js';
import { report, type Case } from '../support/report.js';
import type { Shape } from './data.js';
import { Stage, type Made, type Place, type Subject } from './stage.js';

// The same folders by `liftlock backups` and by tar and zstd, in turn, on the same disk, with the same page cache.
// `bench backup PAIRS SCALE` measures fewer pairs, of so many times the data: `bench backup 1 0.02`, for a look.

const GIB = 1024 ** 3;
const [pairsText, scaleText] = process.argv.slice(2);
const PAIRS = Number(pairsText ?? 5);
const SCALE = Number(scaleText ?? 1);
const AT_ONCE = 20;
const PLACES: Readonly<Record<Place, string>> = {
  share: 'on a share',
  docker: "in a container's mount",
};

const BAR = { snapshot: 1.15, restore: 1.2, verify: 0.5, again: 0.4, atOnce: 1, residentMiB: 200 };
const MANY_FILES = shape(15_000, GIB);
// so many, whatever the scale: it is they that are large
const LARGE_FILES: Shape = { files: 4, bytes: 8 * GIB * SCALE };

const stage = await Stage.open();
let code = 1;
try {
  const cases: Case[] = [];
  cases.push(...(await besideTar(MANY_FILES, 'share')));
  cases.push(...(await besideTar(LARGE_FILES, 'share')));
  cases.push(await atOnce());
  // beside the same tar, which has neither the engine nor its pipes to go through
  cases.push(...(await besideTar(MANY_FILES, 'docker')));
  cases.push(resident());
  code = report(cases);
} finally {
  await stage.close();
}
process.exit(code);

async function besideTar(wanted: Shape, place: Place): Promise<Case[]> {
  const name = `${mebibytes(wanted.bytes)} in ${wanted.files} files, ${PLACES[place]}`;
  const subject = await stage.newSubject(`${place}-of-${wanted.files}`, wanted, place);
  const ms = { bench: 'backup', unit: 'ms', beside: 'tar and zstd' } as const;
  let last: Made | undefined;
  const verified: number[] = [];
  const snapshots = await inPairs(
    PAIRS,
    async () => {
      const made = await stage.snapshot(subject);
      verified.push(await stage.verify(made));
      last = made;
      return made.wallMs;
    },
    () => stage.snapshotByTar(subject),
  );
  if (last === undefined) throw new Error('PAIRS must be 1 at least');
  const from = last;
  const restores = await inPairs(
    PAIRS,
    () => stage.restore(from, subject),
    () => stage.restoreByTar(subject),
  );
  const [first, second] = await byRestic(subject);
  await stage.remove(subject);
  return [
    pairCase(
      { ...ms, case: `${name}: snapshot`, bar: BAR.snapshot },
      snapshots.ours,
      snapshots.theirs,
    ),
    pairCase({ ...ms, case: `${name}: restore`, bar: BAR.restore }, restores.ours, restores.theirs),
    pairCase(
      { ...ms, case: `${name}: verify`, bar: BAR.verify, beside: 'the snapshot' },
      verified,
      snapshots.ours,
    ),
    pairCase(
      { ...ms, case: `${name}: again by restic`, bar: BAR.again, beside: 'the first time' },
      second,
      first,
    ),
  ];
}

/** @returns what each first snapshot took in a repository of its own, and each second one of what had not changed */
async function byRestic(subject: Subject): Promise<readonly [number[], number[]]> {
  const [first, second]: [number[], number[]] = [[], []];
  for (let pair = 0; pair < PAIRS; pair += 1) {
    const known = await stage.newToRestic(subject, `restic-${pair}`);
    first.push((await stage.snapshot(known)).wallMs);
    second.push((await stage.snapshot(known)).wallMs);
  }
  return [first, second];
}

/** What each one of many at once takes, of all that it takes, beside one alone. */
async function atOnce(): Promise<Case> {
  const each = shape(3_000, GIB / 5);
  const subjects = await Promise.all(
    Array.from({ length: AT_ONCE }, (_, at) => stage.newSubject(`at-once-${at}`, each, 'share')),
  );
  const [first] = subjects;
  if (first === undefined) throw new Error('there is none');
  const measured = async (some: typeof subjects): Promise<number> => {
    const { wallMs } = await stage.snapshots(some);
    return wallMs / some.length;
  };
  const { ours, theirs } = await inPairs(
    PAIRS,
    () => measured(subjects),
    () => measured([first]),
  );
  for (const subject of subjects) await stage.remove(subject);
  return pairCase(
    {
      ...{ bench: 'backup', unit: 'ms', beside: 'one alone', bar: BAR.atOnce },
      case: `${AT_ONCE} instances of ${mebibytes(each.bytes)} at once: snapshot, for each of them`,
    },
    ours,
    theirs,
  );
}

function resident(): Case {
  const value = stage.residentMiB();
  return {
    ...{ bench: 'backup', case: 'the most that the service had resident', value, unit: 'MiB' },
    ...{ against: 'nothing', ratio: null, bar: BAR.residentMiB },
    holds: value <= BAR.residentMiB,
  };
}

function shape(files: number, bytes: number): Shape {
  return { files: Math.max(1, Math.round(files * SCALE)), bytes: bytes * SCALE };
}
