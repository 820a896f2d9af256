import { FleetCensus } from './fleet-census.js';
import { pointerOf, type Problems } from './problems.js';
import type { RunningVersion } from './running-version.js';
import { liesIn, semverOf } from './versions.js';

/** An instance that goes from one version to another. */
export interface Move {
  readonly instance: string;
  readonly from: RunningVersion;
  readonly to: RunningVersion;
}

/** What goes at the same time, and how a person knows it. */
export interface Moment {
  readonly name: string;
  readonly moves: readonly Move[];
}

export interface CompatibilityQuestion {
  readonly application: string;
  /** What runs before anything begins, by instance. */
  readonly running: ReadonlyMap<string, RunningVersion>;
  /** Of these, what stays so because the request leaves it out; default: nothing. */
  readonly leftOut?: ReadonlyMap<string, RunningVersion>;
  /** All that is moved to, whenever that is: those of one instance one after another. */
  readonly arrivals: Iterable<RunningVersion>;
  /** Walked one after the other. */
  readonly moments: Iterable<Moment>;
  /** Whether components of two major versions may meet while it is under way. */
  readonly coordinatedMajor: boolean;
}

/**
 * Sees that nothing runs beside a version that it does not accept: at the start, at the end, and at every moment between. While a wave
 * is under way each of its instances may already be new or still be old, whichever others are: all of that must be accepted, since
 * lanes do not wait for one another, and one that fails stays behind.
 * @returns warnings about what cannot be compared, and about what a coordinated upgrade lets meet.
 */
export function checkCompatibility(question: CompatibilityQuestion, problems: Problems): string[] {
  const { running, moments, leftOut = new Map<string, RunningVersion>() } = question;
  const doubtful = doubtfulComponents(question);
  if (doubtful.size === 0) return [];
  const warnings = new Set<string>();
  const census = new FleetCensus();
  for (const one of running.values()) if (doubtful.has(one.component)) census.change(one, 1);
  const pointer = pointerOf('applications', question.application, 'spec', 'components');
  const refuse = (moment: string, pair: string): void =>
    problems.add('unplannable', pointer, `${moment}, ${pair}`);
  const look = (moment: string, isMixed: boolean): void =>
    census.eachPair((a, b, { range, accepted }) => {
      const fits = liesIn(b.version, range);
      if (fits === true) {
        accepted.add(b.version);
        return;
      }
      const text = `${a.component} ${a.version} requires ${b.component} ${range}, and ${b.component} ${b.version} runs`;
      if (fits === undefined) {
        warnings.add(
          `${a.component} ${a.version} requires ${b.component} ${range}: whether ${b.version} fits cannot be told`,
        );
      } else if (isMixed && question.coordinatedMajor && areMajorsApart(a, b)) {
        warnings.add(`${moment}, ${text}: the application lets major versions meet meanwhile`);
      } else refuse(moment, `${text}${becauseOf(leftOut, [a, b])}`);
    });
  census.beginWithAll();
  look('at the start', false);
  for (const { name, moves: all } of moments) {
    const moves = all.filter(({ to }) => doubtful.has(to.component));
    // in the middle both versions of all that moves count as present
    census.beginMoment();
    for (const { to } of moves) census.change(to, 1);
    look(`during ${name}`, true);
    for (const { from } of moves) census.change(from, -1);
  }
  census.beginWithAll();
  look('at the end', false);
  return [...warnings];
}

/**
 * Components of which one does not accept every version that the other ever runs in, and those others: of most that is never so, and no
 * moment need be looked at for them.
 */
function doubtfulComponents({ running, arrivals }: CompatibilityQuestion): ReadonlySet<string> {
  interface Course {
    readonly versions: Set<string>;
    readonly requires: Set<RunningVersion['requires']>;
  }
  const courses = new Map<string, Course>();
  const add = ({ component, version, requires }: RunningVersion): void => {
    const known = courses.get(component);
    const course = known ?? { versions: new Set(), requires: new Set() };
    if (known === undefined) courses.set(component, course);
    course.versions.add(version);
    course.requires.add(requires);
  };
  for (const one of running.values()) add(one);
  for (const one of arrivals) add(one);
  const doubtful = new Set<string>();
  for (const [component, { requires }] of courses) {
    for (const [other, range] of [...requires].flatMap((one) => Object.entries(one))) {
      const versions = courses.get(other)?.versions ?? [];
      if ([...versions].every((version) => liesIn(version, range) === true)) continue;
      doubtful.add(component).add(other);
    }
  }
  return doubtful;
}

/** Instances that are named where many would stay. */
const NAMED = 3;

/** Of a pair that does not fit, who of it would stay old. */
function becauseOf(
  leftOut: ReadonlyMap<string, RunningVersion>,
  pair: readonly RunningVersion[],
): string {
  const staying = [...leftOut].flatMap(([id, one]) =>
    pair.some(({ component, version }) => component === one.component && version === one.version)
      ? [id]
      : [],
  );
  if (staying.length === 0) return '';
  const named = staying.slice(0, NAMED).join(', ');
  const more = staying.length - NAMED;
  return `; ${more > 0 ? `${named} and ${more} more` : named} would stay so, being left out: let it take part, or leave out the other, too`;
}

function areMajorsApart(a: RunningVersion, b: RunningVersion): boolean {
  const [one, other] = [semverOf(a.version), semverOf(b.version)];
  return one !== undefined && other !== undefined && one.major !== other.major;
}
