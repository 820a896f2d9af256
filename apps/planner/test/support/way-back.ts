import type { CompensationStep, Hop, Lane, Step } from '#contracts';

/** For tests: an instance and the objects that its hooks change, as far as a way back can go wrong with them. */
interface Seen {
  /** How many hops up the version is that runs; undefined: none does. */
  running: number | undefined;
  /** Which version wrote last; between two of them: a job did. */
  data: number;
  /** Steps that changed objects and were not taken back, in order. */
  readonly changed: string[];
}

/** One instance in one hop. */
export interface HopLane {
  readonly hop: Hop;
  readonly lane: Lane;
}

/** What a forward step, done as a whole, makes of it. */
function forward(seen: Seen, { action, id, input }: Step, hop: number): void {
  switch (action) {
    case 'instance.stop':
      seen.running = undefined;
      break;
    case 'instance.replace':
      seen.running = hop + 1;
      seen.data = hop + 1;
      break;
    case 'hook.object':
      if (input['recorded'] === true) seen.changed.push(id);
      break;
    case 'hook.job':
      if ((input['work'] as { volumesFrom?: boolean }).volumesFrom === true) seen.data += 0.5;
      break;
    default:
  }
}

/** @returns what must never be; undefined: all is well */
function back(
  seen: Seen,
  { action, id, input }: Step,
  hop: number,
  hasData: boolean,
): string | undefined {
  const isRolling = input['rolling'] === true;
  switch (action) {
    case 'instance.stop-new':
      if (seen.running === hop + 1) seen.running = undefined;
      return undefined;
    case 'data.restore':
      seen.data = hop;
      return seen.running === undefined ? undefined : `${id} under version ${seen.running}`;
    case 'hook.object-back': {
      const undoes = input['undoes'] as string;
      const whileDown = undoes.includes('/stopped-');
      if (seen.changed.at(-1) !== undoes) return `${id} out of order: ${seen.changed.join(', ')}`;
      seen.changed.pop();
      return whileDown && seen.running !== undefined ? `${id} while it runs` : undefined;
    }
    case 'instance.restore-old': {
      const beside = seen.running !== undefined && seen.running > hop;
      if (beside && !isRolling) return `${id} beside version ${seen.running}`;
      if (input['start'] === false) {
        seen.running = undefined;
        return undefined;
      }
      if (hasData && seen.data !== hop) return `${id} on data of ${seen.data}`;
      const left = seen.changed.filter((one) => one.startsWith(`h${hop + 1}/`));
      if (left.length > 0) return `${id} with ${left.join(', ')} as it was left`;
      seen.running = hop;
      return undefined;
    }
    default:
      return undefined;
  }
}

/**
 * Goes an instance forward through its hops, of the last one to a step, that one included, and all the way back by what is planned, in an order
 * that is drawn among those that are allowed.
 * @param ran whether anything of it ran before
 * @param draw a number from 0 to below n
 * @returns what went wrong
 */
export function thereAndBack(
  way: readonly HopLane[],
  upTo: number,
  ran: boolean,
  draw: (n: number) => number,
): string[] {
  const seen: Seen = { running: ran ? 0 : undefined, data: 0, changed: [] };
  const begun = new Set<string>();
  way.forEach(({ lane }, hop) => {
    const isLast = hop === way.length - 1;
    for (const step of isLast ? lane.steps.slice(0, upTo + 1) : lane.steps) {
      forward(seen, step, hop);
      begun.add(step.id);
    }
  });
  const wrong: string[] = [];
  let hasData = false;
  for (const [hop, { hop: planned, lane }] of [...way.entries()].toReversed()) {
    const own = planned.compensation.filter(({ lanes }) => lanes.includes(lane.id));
    hasData ||= own.some(({ action }) => action === 'data.restore');
    const open = new Map(
      own
        .filter(({ when }) => when.some((id) => begun.has(id)))
        .filter(({ destinationOnly }) => hop === 0 || !destinationOnly)
        .map((step) => [step.id, step]),
    );
    while (open.size > 0) {
      const ready = [...open.values()].filter(({ after }) => !after.some((id) => open.has(id)));
      const next: CompensationStep | undefined = ready[draw(Math.max(1, ready.length))];
      if (next === undefined) return [...wrong, `a circle: ${[...open.keys()].join(', ')}`];
      open.delete(next.id);
      const problem = back(seen, next, hop, hasData);
      if (problem !== undefined) wrong.push(problem);
    }
  }
  if (seen.running !== (ran ? 0 : undefined))
    wrong.push(`version ${seen.running ?? 'none'} runs in the end`);
  if (hasData && seen.data !== 0) wrong.push('its data is not as it was');
  if (seen.changed.length > 0) wrong.push(`${seen.changed.join(', ')} was not taken back`);
  return wrong;
}
