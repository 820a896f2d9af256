import type { RunningVersion } from './running-version.js';
import type { CompatibilityQuestion, Moment, Move } from './compatibility.js';
import type { UpgradeExtent } from './instances.js';
import type { Leg } from './lane-subject.js';
import type { ComponentSpec, ReleaseComponent } from './planning-documents.js';
import type { Survey } from './survey.js';

/** What a component of a release is called by: its own version, else the release's. */
export function componentVersion(wanted: ReleaseComponent | undefined, release: string): string {
  return wanted?.version ?? release;
}

const NOTHING: RunningVersion['requires'] = {};

function runningVersion(
  component: ComponentSpec,
  wanted: ReleaseComponent | undefined,
  release: string,
): RunningVersion {
  return {
    component: component.name,
    version: componentVersion(wanted, release),
    requires: wanted?.requires ?? component.requires ?? NOTHING,
  };
}

/** A plan as a course of moments: which versions run beside which. */
export function momentsOf(
  extent: UpgradeExtent,
  seen: Survey,
  legs: readonly Leg[],
  waves: ReadonlyArray<{ readonly name: string; readonly legs: readonly Leg[] }>,
): CompatibilityQuestion {
  const { metadata, spec } = extent.application.document;
  const subjects = new Map(seen.subjects.map((subject) => [subject.instance.id, subject]));
  const running = new Map<string, RunningVersion>();
  for (const { id, component, wanted } of extent.instances) {
    const subject = subjects.get(id);
    const { version } = extent.release.document.spec;
    running.set(
      id,
      subject === undefined
        ? runningVersion(component, wanted, version)
        : runningVersion(component, subject.oldVersion, subject.from),
    );
  }
  const leftOut = new Map(
    seen.leftOut.map(({ instance: { id, component }, runs, version }) => [
      id,
      runningVersion(component, runs, version),
    ]),
  );
  for (const [id, one] of leftOut) running.set(id, one);
  const { coordinatedMajor = false } = spec;
  const moments = { [Symbol.iterator]: () => momentsFrom(waves) };
  const arrivals = { [Symbol.iterator]: () => arrivalsOf(legs) };
  return { application: metadata.name, running, leftOut, arrivals, moments, coordinatedMajor };
}

function* arrivalsOf(legs: readonly Leg[]): Generator<RunningVersion> {
  for (const leg of legs) yield new LegMove(leg).to;
}

/** One after the other: all moves of a large fleet's plan together are as much as the plan itself. */
function* momentsFrom(
  waves: ReadonlyArray<{ readonly name: string; readonly legs: readonly Leg[] }>,
): Generator<Moment> {
  for (const { name, legs } of waves) yield { name, moves: legs.map((leg) => new LegMove(leg)) };
}

/** Both versions are made when they are asked for: where a move goes from is seldom asked. */
class LegMove implements Move {
  constructor(private readonly leg: Leg) {}

  get instance(): string {
    return this.leg.instance.id;
  }

  get from(): RunningVersion {
    const { subject, before, instance } = this.leg;
    return before === undefined
      ? runningVersion(instance.component, subject.oldVersion, subject.from)
      : new LegMove(before).to;
  }

  get to(): RunningVersion {
    const { instance, to } = this.leg;
    return runningVersion(instance.component, instance.wanted, to);
  }
}
