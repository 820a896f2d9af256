import { madeBy } from '#contracts';
import { replaceStepOf } from './forward-steps.js';
import { LanePlanner } from './lane-plan.js';
import type { LaneSubject, Leg } from './lane-subject.js';
import { componentVersion } from './moments.js';
import type { StepMaker } from './step-maker.js';
import type { WantedImage } from './wanted-image.js';

/** One instance in one hop, and its place in the plan: no more than what its steps follow from, since a large fleet has many. */
export class LaneDraft {
  /**
   * @param before of the same instance, in an earlier hop
   * @param jobImages of the hooks' jobs that name one, by reference
   * @param tier among the application's components; undefined: it has only one
   */
  constructor(
    private readonly maker: StepMaker,
    private readonly hop: string,
    private readonly wave: string,
    readonly leg: Leg,
    readonly before: LaneDraft | undefined,
    readonly jobImages: ReadonlyMap<string, WantedImage> | undefined,
    private readonly tier: number | undefined,
  ) {}

  get id(): string {
    return `${this.wave}/${this.leg.instance.id}`;
  }

  /** What is in the way of a step goes to the problems: here only, where a step may be too large; all others are not spelled out. */
  refuseWhatDoesNotFit(): void {
    if (!this.leg.fits) this.planner().spellOut();
  }

  /** Made anew each time. */
  planner(): LanePlanner {
    return new LanePlanner(this.maker, this.hop, this.id, this.subject, this.tier);
  }

  private get subject(): LaneSubject {
    const { before, jobImages } = this;
    const { subject, instance, image, from, to, oldVersion, chains } = this.leg;
    const own = {
      instance,
      image,
      from: componentVersion(oldVersion, from),
      to: componentVersion(instance.wanted, to),
      oldVersion,
      chains,
      fromRelease: subject.fromRelease,
      jobImages,
      manifests: subject.manifests,
    };
    if (before === undefined) return { ...own, container: subject.container };
    // a workload is the same object in all hops
    const containerId =
      instance.target.driver === 'kubernetes'
        ? subject.container.containerId
        : madeBy(replaceStepOf(before.id, instance));
    return {
      ...own,
      // it was started and seen to work, whatever was before
      container: { ...subject.container, containerId, running: true },
      earlier: { image: before.leg.image },
    };
  }
}
