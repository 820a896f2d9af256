import type { RunningVersion } from './running-version.js';

/** What a version requires of another component. */
interface Requirement {
  readonly of: Part;
  readonly range: string;
  /** Versions that were seen to lie in the range. */
  readonly accepted: Set<string>;
}

/** A version of a component, with its requirements, and how many instances run in it. */
interface Present {
  readonly running: RunningVersion;
  readonly requires: Requirements;
  instances: number;
}

interface Requirements {
  /** Equal for what is required alike. */
  readonly key: string;
  readonly all: readonly Requirement[];
}

/** A component, in the versions that run now. */
interface Part {
  readonly name: string;
  /** Few, mostly one. */
  readonly present: Present[];
  /** Components that require something of this one, in a version that ran. */
  readonly requirers: Set<Part>;
  readonly known: Map<RunningVersion['requires'], Requirements>;
  /** The last moment in which it changed. */
  moment: number;
}

/** Which versions run side by side: kept up to date change by change, since a large fleet has many moments and few changes in each. */
export class FleetCensus {
  private readonly parts = new Map<string, Part>();
  private readonly accepted = new Map<string, Set<string>>();

  private moment = 0;
  /** In this moment. */
  private changed: Part[] = [];

  /** Of what changes from now on, the pairs are seen together. */
  beginMoment(): void {
    this.moment += 1;
    this.changed = [];
  }

  /** Begins a moment in which all counts as changed. */
  beginWithAll(): void {
    this.beginMoment();
    for (const part of this.parts.values()) this.mark(part);
  }

  /** @param by how many instances more, or fewer. */
  change(running: RunningVersion, by: number): void {
    const part = this.part(running.component);
    this.mark(part);
    const requires = this.requirementsOf(part, running);
    const { present } = part;
    const same = present.find(
      (one) => one.running.version === running.version && one.requires.key === requires.key,
    );
    if (same === undefined) present.push({ running, requires, instances: by });
    else if ((same.instances += by) <= 0) present.splice(present.indexOf(same), 1);
  }

  /**
   * Every two versions that run, of which one requires something of the other, and of which at least one is of a component that changed in
   * this moment; but for those that were seen to be accepted.
   */
  eachPair(see: (a: RunningVersion, b: RunningVersion, requirement: Requirement) => void): void {
    const others = new Set<Part>();
    for (const part of this.changed) {
      this.look(part, see);
      for (const one of part.requirers) if (one.moment !== this.moment) others.add(one);
    }
    for (const part of others) this.look(part, see);
  }

  /** What one component requires: all of it when it changed, else what it requires of those that did. */
  private look(
    { present, moment }: Part,
    see: (a: RunningVersion, b: RunningVersion, requirement: Requirement) => void,
  ): void {
    for (const { running: a, requires } of present) {
      for (const requirement of requires.all) {
        const { accepted, of } = requirement;
        if (moment !== this.moment && of.moment !== this.moment) continue;
        for (const { running: b } of of.present)
          if (!accepted.has(b.version)) see(a, b, requirement);
      }
    }
  }

  private mark(part: Part): void {
    if (part.moment === this.moment) return;
    part.moment = this.moment;
    this.changed.push(part);
  }

  private part(name: string): Part {
    const known = this.parts.get(name);
    if (known !== undefined) return known;
    const made: Part = { name, present: [], requirers: new Set(), known: new Map(), moment: -1 };
    this.parts.set(name, made);
    return made;
  }

  private requirementsOf(part: Part, { requires }: RunningVersion): Requirements {
    // mostly it goes on requiring what it required
    for (const { running, requires: same } of part.present)
      if (running.requires === requires) return same;
    const known = part.known.get(requires);
    if (known !== undefined) return known;
    const all = Object.entries(requires).map(([other, range]): Requirement => {
      const of = this.part(other);
      of.requirers.add(part);
      const accepted = this.accepted.get(range) ?? new Set<string>();
      this.accepted.set(range, accepted);
      return { of, range, accepted };
    });
    const made = { key: JSON.stringify(requires), all };
    part.known.set(requires, made);
    return made;
  }
}
