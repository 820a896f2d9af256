import type { Bracket, CompensationStep, Direction, Hop, Lane, Plan, Step, Wave } from '#contracts';

/** Where a step stands in the plan. */
export interface PlacedStep {
  readonly step: Step;
  readonly direction: Direction;
  readonly lane?: string;
  readonly bracket?: string;
}

export interface PlacedLane {
  readonly lane: Lane;
  readonly wave: Wave;
  readonly hop: Hop;
  readonly hopNumber: number;
}

export interface PlacedCompensation {
  readonly step: CompensationStep;
  readonly hopNumber: number;
}

/** A plan with its ways of looking things up: made once per plan. */
export class PlanIndex {
  readonly steps = new Map<string, PlacedStep>();
  readonly lanes = new Map<string, PlacedLane>();
  readonly compensation = new Map<string, PlacedCompensation>();
  private readonly bracketsByLane = new Map<string, Bracket[]>();

  private constructor(readonly plan: Plan) {
    for (const step of plan.prepare) this.place(step, 'forward');
    const { before = [], after = [], undoAfter = [], onceBack = [] } = plan.applicationHooks ?? {};
    for (const step of [...before, ...after]) this.place(step, 'forward');
    for (const step of [...undoAfter, ...onceBack]) this.place(step, 'back');
    plan.hops.forEach((hop, hopNumber) => {
      for (const wave of hop.waves) {
        for (const lane of wave.lanes) {
          if (this.lanes.has(lane.id)) throw new Error(`the plan names lane ${lane.id} twice`);
          this.lanes.set(lane.id, { lane, wave, hop, hopNumber });
          for (const step of lane.steps) this.place(step, 'forward', { lane: lane.id });
        }
      }
      for (const step of hop.compensation) {
        this.place(step, 'back');
        this.compensation.set(step.id, { step, hopNumber });
      }
    });
    for (const bracket of plan.brackets) {
      this.place(bracket.acquire, 'bracket', { bracket: bracket.id });
      this.place(bracket.release, 'bracket', { bracket: bracket.id });
      for (const lane of bracket.lanes) {
        this.bracketsByLane.set(lane, [...(this.bracketsByLane.get(lane) ?? []), bracket]);
      }
    }
    for (const step of plan.bakeChecks) this.place(step, 'bake');
    for (const step of plan.finalize) this.place(step, 'finalize');
    this.assertReferences();
  }

  private static readonly known = new WeakMap<Plan, PlanIndex>();

  /** @throws Error when the plan names something twice, or something that is not there. */
  static of(plan: Plan): PlanIndex {
    const known = PlanIndex.known.get(plan);
    if (known !== undefined) return known;
    const index = new PlanIndex(plan);
    PlanIndex.known.set(plan, index);
    return index;
  }

  bracketsOf(lane: string): readonly Bracket[] {
    return this.bracketsByLane.get(lane) ?? [];
  }

  step(id: string): PlacedStep {
    const placed = this.steps.get(id);
    if (placed === undefined) throw new Error(`the plan has no step ${id}`);
    return placed;
  }

  lane(id: string): PlacedLane {
    const placed = this.lanes.get(id);
    if (placed === undefined) throw new Error(`the plan has no lane ${id}`);
    return placed;
  }

  private place(
    step: Step,
    direction: Direction,
    where: { lane?: string; bracket?: string } = {},
  ): void {
    if (this.steps.has(step.id)) throw new Error(`the plan names step ${step.id} twice`);
    this.steps.set(step.id, { step, direction, ...where });
  }

  private assertReferences(): void {
    for (const { step } of this.compensation.values()) {
      for (const lane of step.lanes) this.lane(lane);
      for (const id of step.when) this.step(id);
      for (const id of step.after) {
        if (!this.compensation.has(id))
          throw new Error(`${step.id} waits for ${id}, which is no compensation`);
      }
    }
    const { undoAfter = [], onceBack = [] } = this.plan.applicationHooks ?? {};
    for (const { when = [] } of [...undoAfter, ...onceBack, ...this.plan.finalize])
      for (const id of when) this.step(id);
    for (const bracket of this.plan.brackets) for (const lane of bracket.lanes) this.lane(lane);
    assertNoCircle(
      'compensation',
      new Map([...this.compensation].map(([id, { step }]) => [id, step.after])),
    );
    const preparing = new Map(this.plan.prepare.map(({ id, after }) => [id, after ?? []]));
    for (const [id, after] of preparing)
      for (const before of after)
        if (!preparing.has(before))
          throw new Error(`${id} waits for ${before}, which prepares nothing`);
    assertNoCircle('what is prepared', preparing);
  }
}

function assertNoCircle(what: string, after: ReadonlyMap<string, readonly string[]>): void {
  const done = new Set<string>();
  const visit = (id: string, path: readonly string[]): void => {
    if (done.has(id)) return;
    if (path.includes(id))
      throw new Error(`${what} goes in a circle: ${[...path, id].join(' → ')}`);
    for (const before of after.get(id) ?? []) visit(before, [...path, id]);
    done.add(id);
  };
  for (const id of after.keys()) visit(id, []);
}
