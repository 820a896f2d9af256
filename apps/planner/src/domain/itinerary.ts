import { wayOf } from './chain-path.js';
import type { ChainGraph } from './chain-graph.js';
import { wantedImage } from './images.js';
import { instanceAt, type UpgradeExtent } from './instances.js';
import type { LaneSubject, Leg } from './lane-subject.js';
import { LegSizes } from './leg-sizes.js';
import { MOST_HOPS } from './observe-questions.js';
import type { ReleaseComponent, Stored } from './planning-documents.js';
import type { ReleaseDocument } from '#contracts';
import { pointerOf, type Problems } from './problems.js';
import { chainsOf, isService, refusalOf } from './services.js';
import { refuseTaken, type Survey } from './survey.js';

/** One edge of the chains, and who takes it. */
export interface PlannedHop {
  readonly from: string;
  readonly to: string;
  readonly legs: readonly Leg[];
}

export interface Itinerary {
  readonly hops: readonly PlannedHop[];
  /** The same legs, those of one instance one after another. */
  readonly legs: readonly Leg[];
  /** The releases that it leads by, without the last. */
  readonly releases: ReadonlyArray<Stored<ReleaseDocument>>;
}

/**
 * Which instances go from which version to which, hop by hop. Instances that begin at different versions meet on the way: who is as far
 * from the end, along the same edge, goes together. An instance whose image is the same in two releases takes no part in that hop.
 */
export function itineraryOf(extent: UpgradeExtent, seen: Survey, problems: Problems): Itinerary {
  if (extent.graph === undefined) {
    const hop = directHop(extent, seen);
    return { hops: [hop], legs: hop.legs, releases: [] };
  }
  const ways = new WaysOfRelease(extent, extent.graph);
  const hops = new Map<string, Legs>();
  const hopOf = ({ from, to }: Leg, left: number): Legs => {
    const key = `${left} ${from} ${to}`;
    const hop = hops.get(key) ?? { left, from, to, legs: [] };
    hops.set(key, hop);
    return hop;
  };
  // who goes the same way is in the same hops
  const known = new Map<object, Map<number, Legs>>();
  const releases = new Map<string, Stored<ReleaseDocument>>();
  const legs: Leg[] = [];
  for (const subject of seen.subjects) {
    const way = ways.from(subject, problems);
    if (way === undefined) continue;
    if (!known.has(way))
      way.slice(0, -1).forEach((one) => releases.set(one.document.metadata.name, one));
    const hopsOfWay = known.get(way) ?? new Map<number, Legs>();
    known.set(way, hopsOfWay);
    const { graph } = extent;
    eachLeg(subject, way, graph, seen, problems, (leg, index) => {
      const hop = hopsOfWay.get(index) ?? hopOf(leg, way.length - 1 - index);
      hopsOfWay.set(index, hop);
      hop.legs.push(leg);
      legs.push(leg);
    });
  }
  const inOrder = [...hops.values()].toSorted(
    (a, b) => b.left - a.left || compare(a.from, b.from) || compare(a.to, b.to),
  );
  return { hops: inOrder, legs, releases: [...releases.values()] };
}

interface Legs {
  /** Hops that come after it. */
  readonly left: number;
  readonly from: string;
  readonly to: string;
  readonly legs: Leg[];
}

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));

function directHop(extent: UpgradeExtent, { subjects }: Survey): PlannedHop {
  return {
    from: [...new Set(subjects.map(({ from }) => from))].toSorted().join(', '),
    to: extent.release.document.spec.version,
    legs: subjects.map((subject) => {
      const fits = new LegSizes(subject).fits(subject.instance, subject.image);
      return { ...subject, subject, before: undefined, fits };
    }),
  };
}

/** The ways to the release that is asked for, each looked for once. */
class WaysOfRelease {
  private readonly known = new Map<string, ReturnType<typeof wayOf>>();
  private readonly stations = new Map<string, Array<Stored<ReleaseDocument>>>();

  constructor(
    private readonly extent: UpgradeExtent,
    private readonly graph: ChainGraph,
  ) {}

  /** The releases from the one that runs to the last, both included. */
  from(
    { instance, container, from, fromRelease }: LaneSubject,
    problems: Problems,
  ): Array<Stored<ReleaseDocument>> | undefined {
    const { release, application } = this.extent;
    const to = release.document.metadata.name;
    const refuse = (
      why: string,
      pointer = pointerOf('applications', application.document.metadata.name, 'spec', 'chains'),
    ): undefined => {
      problems.add(
        'unplannable',
        pointer,
        `${refusalOf(instance, container, from, release.document.spec.version)}: ${why}`,
      );
    };
    if (fromRelease === undefined)
      return refuse(
        'no release has the image that it runs, so that no chain leads from it',
        instance.pointer,
      );
    const before = this.stations.get(fromRelease);
    if (before !== undefined) return before;
    const way = this.known.get(fromRelease) ?? wayOf(this.graph, fromRelease, to);
    this.known.set(fromRelease, way);
    if ('none' in way) return refuse(way.none);
    if (way.nodes.length - 1 > MOST_HOPS)
      return refuse(
        `that would be ${way.nodes.length - 1} hops, and an upgrade may have ${MOST_HOPS}`,
      );
    const stations: Array<Stored<ReleaseDocument>> = [];
    for (const node of way.nodes) {
      const found = this.graph.nodes.get(node)?.release;
      if (found === undefined)
        return refuse(
          `its way leads by ${this.graph.label(node)}, of which there is no release: apply its document first`,
        );
      stations.push(found);
    }
    this.stations.set(fromRelease, stations);
    return stations;
  }
}

/** The legs of an instance in their order, each with the number of its edge on the way, from 0. */
function eachLeg(
  subject: LaneSubject,
  way: ReadonlyArray<Stored<ReleaseDocument>>,
  graph: ChainGraph,
  seen: Survey,
  problems: Problems,
  take: (leg: Leg, index: number) => void,
): void {
  const at = seen.seen.get(subject.instance.target.name);
  if (at === undefined) return;
  const sizes = new LegSizes(subject);
  let taken = 0;
  const warn = (warning: string): void => void seen.warnings.push(warning);
  let { oldVersion } = subject;
  let last: ReleaseComponent | undefined;
  let lastLeg: Leg | undefined;
  let before: string | undefined;
  way.forEach((release, station) => {
    const { version } = release.document.spec;
    if (station === 0) {
      before = version;
      last = oldVersion;
      return;
    }
    const instance = instanceAt(subject.instance, release, taken + 1);
    const from = before ?? subject.from;
    before = version;
    if (instance === undefined) {
      const { name } = subject.instance.component;
      problems.add(
        'unplannable',
        pointerOf('releases', release.document.metadata.name, 'spec', 'components', name),
        `release ${release.document.metadata.name} has no image for component ${name}, and the way of ${subject.instance.id} leads by it: ` +
          `add spec.components.${name}.image`,
      );
      return;
    }
    const image = wantedImage(instance, at, problems, warn);
    if (image === undefined) return;
    // the last leg of an instance that took none is taken for what was observed: its image is another under the same name
    const isNeeded = station === way.length - 1 && taken === 0;
    if (!isNeeded && sameImage(instance.wanted, last)) return;
    if (taken > 0) refuseTaken(instance, at.target, problems);
    const leg: Leg = {
      subject,
      instance,
      image,
      from,
      to: version,
      oldVersion,
      ...(isService(instance) ? { chains: chainsOf(graph, way[station - 1], release) } : {}),
      before: lastLeg,
      fits: sizes.fits(instance, image),
    };
    lastLeg = leg;
    taken += 1;
    take(leg, station - 1);
    oldVersion = instance.wanted;
    last = instance.wanted;
  });
}

function sameImage(one: ReleaseComponent, other: ReleaseComponent | undefined): boolean {
  return one.image === other?.image && one.id === other.id && one.archive === other.archive;
}
