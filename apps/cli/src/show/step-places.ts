import type { Plan } from '#contracts';

/** Where in the plan a step stands, as a person reads it. */
export interface StepPlace {
  /** `prepare`, `before`, `wave 2/3`, `hop 1 wave 2/3`, `after`, `back`, `bake`, `finalize` */
  readonly stage: string;
  /** `web@host`, or the target's name where the step belongs to no component. */
  readonly instance: string;
  readonly title: string;
  /** What it does: `image.prepare`. */
  readonly action?: string;
}

/** All steps of a plan by their ids. */
export function stepPlaces(plan: Plan): ReadonlyMap<string, StepPlace> {
  const places = new Map<string, StepPlace>();
  const several = plan.hops.length > 1;
  const add = (
    step: {
      readonly id: string;
      readonly title: string;
      readonly action: string;
      readonly component?: string | undefined;
      readonly target: { readonly name: string };
    },
    stage: string,
  ): void => {
    const { action, component, target, title } = step;
    const instance = component === undefined ? target.name : `${component}@${target.name}`;
    places.set(step.id, { stage, instance, title, action });
  };
  for (const step of plan.prepare) add(step, 'prepare');
  const { before = [], after = [], undoAfter = [], onceBack = [] } = plan.applicationHooks ?? {};
  for (const step of before) add(step, 'before');
  for (const step of after) add(step, 'after');
  for (const step of [...undoAfter, ...onceBack]) add(step, 'back');
  plan.hops.forEach(({ waves, compensation }, hop) => {
    const prefix = several ? `hop ${hop + 1} ` : '';
    waves.forEach((wave, index) => {
      const stage = `${prefix}wave ${index + 1}/${waves.length}`;
      for (const lane of wave.lanes) for (const step of lane.steps) add(step, stage);
    });
    for (const step of compensation) add(step, `${prefix}back`);
  });
  for (const { acquire, release } of plan.brackets) {
    add(acquire, 'begin');
    add(release, 'end');
  }
  for (const step of plan.bakeChecks) add(step, 'bake');
  for (const step of plan.finalize) add(step, 'finalize');
  return places;
}
