import type { Plan, QueryReply, Step } from '#contracts';

/** What earlier upgrades of an application in an environment took. */
export interface KnownDurations {
  readonly runs: number;
  /** Milliseconds by `<action> <component>`, with nothing for the component where a step has none. */
  readonly medians: ReadonlyMap<string, number>;
}

/**
 * Waves one after the other, the lanes of a wave side by side as far as they may be, a lane's steps one after the other,
 * and what prepares as its own order lets it. What no earlier run had counts for nothing, and is told; the
 * bake is no work and not in it.
 */
export function estimateOf(plan: Plan, known: KnownDurations): QueryReply<'estimate-plan'> {
  const clock = new StepClock(known.medians);
  const { prepare, hops, brackets, finalize, applicationHooks } = plan;
  const { before = [], after = [] } = applicationHooks ?? {};
  // each is read once: a plan may spell its steps out anew whenever it is asked
  const around = new Map<string, number>();
  for (const { lanes, acquire, release } of brackets) {
    const ms = clock.of(acquire) + clock.of(release);
    for (const lane of lanes) around.set(lane, (around.get(lane) ?? 0) + ms);
  }
  let ms = lastFinish(prepare, clock);
  for (const { waves } of hops)
    for (const { lanes, parallelism } of waves) {
      const each = lanes.map(
        ({ id, steps }) =>
          (around.get(id) ?? 0) + steps.reduce((sum, step) => sum + clock.of(step), 0),
      );
      ms += sideBySide(each, parallelism);
    }
  for (const step of [...before, ...after]) ms += clock.of(step);
  ms += longest(finalize.map((step) => clock.of(step)));
  const { steps, unknownSteps } = clock;
  if (unknownSteps === steps) return { runs: known.runs, steps, unknownSteps };
  return { seconds: Math.round(ms / 100) / 10, runs: known.runs, steps, unknownSteps };
}

class StepClock {
  steps = 0;
  unknownSteps = 0;

  constructor(private readonly medians: KnownDurations['medians']) {}

  of({ id, action }: Step): number {
    const component = /(?:^|\/)([a-z0-9-]+)@/.exec(id)?.[1] ?? '';
    const ms = this.medians.get(`${action} ${component}`);
    this.steps += 1;
    if (ms === undefined) this.unknownSteps += 1;
    return ms ?? 0;
  }
}

const longest = (all: readonly number[]): number =>
  all.reduce((most, one) => Math.max(most, one), 0);

/** When the last one ends, where each begins once those before it have ended. */
function lastFinish(steps: Plan['prepare'], clock: StepClock): number {
  const ends = new Map<string, number>();
  for (const step of steps) {
    const begins = longest((step.after ?? []).map((id) => ends.get(id) ?? 0));
    ends.set(step.id, begins + clock.of(step));
  }
  return longest([...ends.values()]);
}

/** In their order, each as soon as one of the places is free. */
function sideBySide(each: readonly number[], places: number): number {
  const busyUntil = Array.from({ length: Math.max(1, Math.min(places, each.length)) }, () => 0);
  for (const ms of each) {
    const soonest = busyUntil.indexOf(Math.min(...busyUntil));
    busyUntil[soonest] = (busyUntil[soonest] ?? 0) + ms;
  }
  return longest(busyUntil);
}
