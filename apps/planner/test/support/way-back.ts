import type { CompensationStep, Hop, Lane, Step } from '#contracts';

/** For tests: an instance and the objects that its hooks change, as far as a way back can go wrong with them. */
interface Seen {
  /** Which of its versions runs; undefined: none does. */
  running: 'old' | 'new' | undefined;
  data: 'old' | 'written';
  /** Steps that changed objects and were not taken back, in order. */
  readonly changed: string[];
}

/** What a forward step, done as a whole, makes of it. */
function forward(seen: Seen, { action, id, input }: Step): void {
  switch (action) {
    case 'instance.stop':
      seen.running = undefined;
      break;
    case 'instance.replace':
      seen.running = 'new';
      seen.data = 'written';
      break;
    case 'hook.object':
      if (input['recorded'] === true) seen.changed.push(id);
      break;
    case 'hook.job':
      if ((input['work'] as { volumesFrom?: boolean }).volumesFrom === true) seen.data = 'written';
      break;
    default:
  }
}

/** @returns what must never be; undefined: all is well */
function back(seen: Seen, { action, id, input }: Step, hasData: boolean): string | undefined {
  const isRolling = input['rolling'] === true;
  switch (action) {
    case 'instance.stop-new':
      if (seen.running === 'new') seen.running = undefined;
      return undefined;
    case 'data.restore':
      seen.data = 'old';
      return seen.running === undefined ? undefined : `${id} under the ${seen.running} version`;
    case 'hook.object-back': {
      const undoes = input['undoes'] as string;
      const whileDown = undoes.includes('/stopped-');
      if (seen.changed.at(-1) !== undoes) return `${id} out of order: ${seen.changed.join(', ')}`;
      seen.changed.pop();
      return whileDown && seen.running !== undefined ? `${id} while it runs` : undefined;
    }
    case 'instance.restore-old':
      if (seen.running === 'new' && !isRolling) return `${id} beside the new version`;
      if (input['start'] === false) {
        seen.running = undefined;
        return undefined;
      }
      if (hasData && seen.data !== 'old') return `${id} on data of the new version`;
      // what was done after the new version was verified is no business of its start
      if (seen.changed.length > 0) return `${id} with ${seen.changed.join(', ')} as it was left`;
      seen.running = 'old';
      return undefined;
    default:
      return undefined;
  }
}

/**
 * Goes a lane forward to a step, that one included, and back by what is planned, in an order that is drawn among those that are allowed.
 * @param ran what ran of it before
 * @param draw a number from 0 to below n
 * @returns what went wrong
 */
export function thereAndBack(
  lane: Lane,
  hop: Hop,
  upTo: number,
  ran: 'old' | undefined,
  draw: (n: number) => number,
): string[] {
  const seen: Seen = { running: ran, data: 'old', changed: [] };
  const begun = new Set<string>();
  for (const step of lane.steps.slice(0, upTo + 1)) {
    forward(seen, step);
    begun.add(step.id);
  }
  const own = hop.compensation.filter(({ lanes }) => lanes.includes(lane.id));
  const hasData = own.some(({ action }) => action === 'data.restore');
  const needed = own.filter(({ when }) => when.some((id) => begun.has(id)));
  const open = new Map(needed.map((step) => [step.id, step]));
  const wrong: string[] = [];
  while (open.size > 0) {
    const ready = [...open.values()].filter(({ after }) => !after.some((id) => open.has(id)));
    const next: CompensationStep | undefined = ready[draw(Math.max(1, ready.length))];
    if (next === undefined) return [...wrong, `a circle: ${[...open.keys()].join(', ')}`];
    open.delete(next.id);
    const problem = back(seen, next, hasData);
    if (problem !== undefined) wrong.push(problem);
  }
  if (seen.running !== ran) wrong.push(`${seen.running ?? 'nothing'} runs in the end`);
  if (hasData && seen.data !== 'old') wrong.push('its data is not as it was');
  if (seen.changed.length > 0) wrong.push(`${seen.changed.join(', ')} was not taken back`);
  return wrong;
}
