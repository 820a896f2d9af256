import { z } from 'zod';
import { digestOf } from '#kernel';
import type { Lane, Plan } from './plan.js';

/** One hop of an instance, without whose it is. */
interface ShapeHop {
  readonly from: string;
  readonly to: string;
  /** Digest of the image, else its ID; nothing where the lane makes no container. */
  readonly artifact: string | undefined;
  /** Actions of the lane's steps, in order. */
  readonly actions: readonly string[];
}

/**
 * What two plans have in common that do the same in two environments: of each component the ways that its instances take, each once. It knows
 * nothing of targets and how many they are, of mirrors, waves and policies, and of the documents' digests.
 */
export interface PlanShape {
  readonly application: string;
  readonly release: string;
  /** By component. */
  readonly ways: Readonly<Record<string, ReadonlyArray<readonly ShapeHop[]>>>;
}

export function shapeOf(plan: Plan): PlanShape {
  const byInstance = new Map<string, { readonly component: string; readonly hops: ShapeHop[] }>();
  for (const { waves } of plan.hops)
    for (const { lanes } of waves)
      for (const lane of lanes) {
        const { instance, component } = lane;
        const way = byInstance.get(instance) ?? { component, hops: [] };
        way.hops.push(hopOf(lane));
        byInstance.set(instance, way);
      }
  const distinct = new Map<string, Map<string, readonly ShapeHop[]>>();
  for (const { component, hops } of byInstance.values()) {
    const ways = distinct.get(component) ?? new Map<string, readonly ShapeHop[]>();
    distinct.set(component, ways.set(JSON.stringify(hops), hops));
  }
  const { application, release } = plan;
  const ways: Record<string, ReadonlyArray<readonly ShapeHop[]>> = {};
  for (const [component, known] of distinct)
    ways[component] = [...known]
      .toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)))
      .map(([, hops]) => hops);
  return { application, release, ways };
}

export function shapeDigestOf(plan: Plan): string {
  return digestOf(shapeOf(plan));
}

/** Whether a plan does nothing but what is left of another: each of its ways is the last part of one of the other's. */
export function isRestOf(rest: PlanShape, whole: PlanShape): boolean {
  if (rest.application !== whole.application || rest.release !== whole.release) return false;
  return Object.entries(rest.ways).every(([component, ways]) =>
    ways.every((way) =>
      waysOf(whole, component).some(
        (one) => JSON.stringify(one.slice(-way.length)) === JSON.stringify(way),
      ),
    ),
  );
}

function waysOf({ ways }: PlanShape, component: string): ReadonlyArray<readonly ShapeHop[]> {
  // a component may have the name of something that every object has
  return Object.hasOwn(ways, component) ? (ways[component] ?? []) : [];
}

const madeFrom = z.object({
  image: z.object({ id: z.string().optional(), digest: z.string().optional() }),
});

function hopOf({ from, to, steps }: Lane): ShapeHop {
  const replace = steps.find(({ action }) => action === 'instance.replace');
  const image = madeFrom.safeParse(replace?.input).data?.image;
  // without the repository: a mirror has the same image under another name
  const digest = image?.digest?.slice(image.digest.indexOf('@') + 1);
  return { from, to, artifact: digest ?? image?.id, actions: steps.map(({ action }) => action) };
}

/** What this plan does and the other did not, in sentences; none: their digests are the same. */
export function shapeDifferences(plan: PlanShape, other: PlanShape, there: string): string[] {
  const told: string[] = [];
  for (const [component, ways] of Object.entries(plan.ways)) {
    const others = waysOf(other, component);
    const known = new Set(others.map((way) => JSON.stringify(way)));
    for (const way of ways) {
      if (known.has(JSON.stringify(way))) continue;
      const same = others.find((one) => versionsOf(one) === versionsOf(way));
      if (same !== undefined) told.push(...hopDifferences(component, way, same, there));
      else {
        const theirs = others.map(versionsOf).join(' and ');
        const took = theirs === '' ? 'was not upgraded' : `went ${theirs}`;
        told.push(`${component} goes ${versionsOf(way)}, and in ${there} it ${took}`);
      }
    }
  }
  const more = Object.keys(other.ways).filter((one) => waysOf(plan, one).length === 0);
  for (const component of more) told.push(`in ${there} ${component} was upgraded, too`);
  if (told.length > 0) return told;
  for (const [component, ways] of Object.entries(other.ways)) {
    const here = new Set(waysOf(plan, component).map((way) => JSON.stringify(way)));
    for (const way of ways)
      if (!here.has(JSON.stringify(way)))
        told.push(`in ${there} ${component} went ${versionsOf(way)}, too`);
  }
  return told;
}

const versionsOf = (way: readonly ShapeHop[]): string =>
  [way[0]?.from, ...way.map(({ to }) => to)].join(' --> ');

function hopDifferences(
  component: string,
  way: readonly ShapeHop[],
  theirWay: readonly ShapeHop[],
  there: string,
): string[] {
  return way.flatMap(({ to, artifact, actions }, index) => {
    const theirs = theirWay[index];
    const told: string[] = [];
    if (artifact !== theirs?.artifact)
      told.push(
        `${component} ${to} is ${artifact ?? 'without an image'}, and in ${there} it was ${theirs?.artifact ?? 'without'}`,
      );
    const theirActions = theirs?.actions ?? [];
    const length = Math.max(actions.length, theirActions.length);
    for (let step = 0; step < length; step += 1) {
      const [mine, other] = [actions[step] ?? 'none', theirActions[step] ?? 'none'];
      if (mine === other) continue;
      told.push(
        `step ${step + 1} of ${component} to ${to} is ${mine}, and in ${there} it was ${other}`,
      );
      break;
    }
    return told;
  });
}
