import { assertNever } from '#kernel';
import {
  ACTIONS,
  type Change,
  type CompensationStep,
  type Plan,
  type Step,
  type WayBack,
} from '#contracts';

/** What becomes of one component: all its instances that go from the same version to the same. */
export interface ComponentChange {
  readonly component: string;
  readonly from: string;
  readonly to: string;
  readonly updated: boolean;
  readonly leftOut: boolean;
  readonly targets: readonly string[];
}

/** In the order of the documents. */
export function componentChanges(changes: readonly Change[]): ComponentChange[] {
  const groups = Map.groupBy(changes, ({ component, from, to, updated, leftOut = false }) =>
    JSON.stringify([component, from, to, updated, leftOut]),
  );
  return [...groups.values()].flatMap((group): ComponentChange[] => {
    const [first] = group;
    if (first === undefined) return [];
    const { component, from, to, updated, leftOut = false } = first;
    const targets = group.map(({ target }) => target);
    return [{ component, from, to, updated, leftOut, targets }];
  });
}

/** `web: 1.0 --> 2.0`, or that it stays as it is. */
export function changeText({ component, from, to, updated, leftOut }: ComponentChange): string {
  const stays = leftOut ? ' (left out)' : ' (not updated)';
  return `${component}: ${from} --> ${to}${updated ? '' : stays}`;
}

/** What is down while a wave is under way. */
export function downText({ lanes, parallelism }: Plan['hops'][number]['waves'][number]): string {
  const of = (some: typeof lanes): string => some.map(({ instance }) => instance).join(', ');
  const rolling = lanes.filter(({ steps }) => steps.some(isRollout));
  const down = lanes.filter((lane) => !rolling.includes(lane));
  const atOnce = Math.min(parallelism, lanes.length);
  const texts = [
    ...(down.length === 0 ? [] : [`down: ${of(down)}`]),
    ...(rolling.length === 0 ? [] : [`rolling: ${of(rolling)}`]),
  ];
  const some = atOnce < lanes.length ? `, ${atOnce} of ${lanes.length} at a time` : '';
  return `${texts.join('; ')}${some}`;
}

function isRollout({ action, input }: Step): boolean {
  return action === 'instance.replace' && input['rolling'] === true;
}

/** Steps before the bake that nothing takes back: behind the first of them there is no return. */
export function irreversibleSteps(plan: Plan): Step[] {
  const { before = [], after = [] } = plan.applicationHooks ?? {};
  const lanes = plan.hops.flatMap(({ waves }) => waves.flatMap((wave) => wave.lanes));
  return [before, ...lanes.map(({ steps }) => steps), after].flatMap((steps) =>
    steps.filter(({ undo }) => undo === 'irreversible'),
  );
}

/** A hop's compensation so that each step comes after those that it waits for, and dependents go down first and come up last. */
export function compensationInOrder(hop: Plan['hops'][number]): Step[] {
  const rest = new Map(hop.compensation.map((step) => [step.id, step]));
  const left: Record<WayBack, Map<number, number>> = {
    down: new Map(),
    data: new Map(),
    up: new Map(),
  };
  const count = ({ order }: CompensationStep, by: number): void => {
    if (order === undefined) return;
    const tiers = left[order.way];
    const now = (tiers.get(order.tier) ?? 0) + by;
    if (now === 0) tiers.delete(order.tier);
    else tiers.set(order.tier, now);
  };
  const isItsTurn = ({ order }: CompensationStep): boolean => {
    if (order === undefined) return true;
    switch (order.way) {
      case 'down':
        return order.tier === Math.max(...left.down.keys());
      case 'data':
        return left.down.size === 0 && order.tier === Math.min(...left.data.keys());
      case 'up':
        return left.data.size === 0 && order.tier === Math.min(...left.up.keys());
      default:
        return assertNever(order.way, 'way back');
    }
  };
  for (const step of rest.values()) count(step, 1);
  const ordered: Step[] = [];
  while (rest.size > 0) {
    const next = [...rest.values()].find(
      (step) => isItsTurn(step) && !step.after.some((id) => rest.has(id)),
    );
    // the planner makes no circle
    if (next === undefined) return [...ordered, ...rest.values()];
    rest.delete(next.id);
    count(next, -1);
    ordered.push(next);
  }
  return ordered;
}

/** A lane's steps with what is acquired before and released after them. */
export function withBrackets(
  plan: Plan,
  { id: lane, steps }: { readonly id: string; readonly steps: readonly Step[] },
): Step[] {
  const brackets = plan.brackets.filter(({ lanes }) => lanes.includes(lane));
  const before = brackets.filter(({ beforeStep }) => beforeStep === undefined);
  return [
    ...before.map(({ acquire }) => acquire),
    ...steps.flatMap((step) => [
      ...brackets.filter(({ beforeStep }) => beforeStep === step.id).map(({ acquire }) => acquire),
      step,
    ]),
    ...brackets.map(({ release }) => release),
  ];
}

/** Of each image that is brought to the mirror: from where it is pulled by then. */
export function mirroredTexts(plan: Plan): string[] {
  return plan.prepare.flatMap(({ action, input }) => {
    if (action !== 'image.mirror') return [];
    const { source, archive, target, digest } = ACTIONS[action].input.parse(input);
    const from = archive === undefined ? source : `${source} of ${archive}`;
    return [`image ${from} mirrored to ${target}@${digest}`];
  });
}
