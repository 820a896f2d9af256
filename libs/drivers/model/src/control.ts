import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';
import { actionNames, type ActionName } from '#contracts';
import { digestOf, errorCodes, LiftlockError } from '#kernel';
import type { WorldStore } from './world-store.js';

/**
 * `before` the first effect, `between` the first and the second one (of `instance.replace` and `instance.restore-old`; of
 * `data.snapshot`: in the middle of the stream), or `after` the last one.
 */
export const MOMENTS = ['before', 'between', 'after'] as const;
export type Moment = (typeof MOMENTS)[number];

const where = {
  action: z.enum([...(actionNames as [ActionName, ...ActionName[]]), 'observe']),
  /** Container's name, for `image.prepare` the image's reference; left out: each. */
  container: z.string().optional(),
  when: z.enum(MOMENTS).default('before'),
};

const rule = z.discriminatedUnion('do', [
  z.strictObject({
    do: z.literal('hold'),
    ...where,
    /** Milliseconds; left out: until the rule is taken out of the control file, or the attempt is aborted. */
    ms: z.number().int().min(0).optional(),
    /** Goes on holding when the attempt is aborted: a driver that hangs for good. */
    deaf: z.boolean().default(false),
  }),
  z.strictObject({
    do: z.literal('fail'),
    ...where,
    code: z.enum(errorCodes).default('target_refused'),
    message: z.string().default('the control file says so'),
    retryable: z.boolean().optional(),
    /** How often it strikes, over all processes; left out: always. */
    times: z.number().int().min(1).optional(),
  }),
  /** Looks by `instance.check` at a container that runs this image do not pass. */
  z.strictObject({
    do: z.literal('fail-checks'),
    imageId: z.string(),
    container: z.string().optional(),
  }),
]);
export type ControlRule = z.infer<typeof rule>;

export const control = z.strictObject({ rules: z.array(rule).default([]) });
/** What a test wants to happen: read anew at each moment of each action. */
export type Control = z.input<typeof control>;

/** An attempt that a rule holds now, or held when its process died. */
export const held = z.object({
  action: z.string(),
  container: z.string(),
  when: z.enum(MOMENTS),
  stepId: z.string(),
  token: z.number().int(),
  pid: z.number().int(),
});
export type Held = z.infer<typeof held>;

const FILE = 'control.json';
const HELD = 'held';

export async function readControl(folder: string): Promise<z.infer<typeof control>> {
  let text: string;
  try {
    text = await readFile(join(folder, FILE), 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return { rules: [] };
    throw error;
  }
  return control.parse(JSON.parse(text));
}

export async function saveControl(folder: string, wanted: Control): Promise<void> {
  const temporary = join(folder, `${FILE}.partial`);
  await writeFile(temporary, JSON.stringify(control.parse(wanted), undefined, 1));
  await rename(temporary, join(folder, FILE));
}

export async function readHeldFiles(folder: string): Promise<Held[]> {
  const names = await readdir(join(folder, HELD)).catch(() => []);
  const found: Held[] = [];
  for (const name of names.filter((one) => one.endsWith('.json'))) {
    // it may be let go just now
    const text = await readFile(join(folder, HELD, name), 'utf8').catch(() => undefined);
    if (text !== undefined) found.push(held.parse(JSON.parse(text)));
  }
  return found;
}

export interface Place {
  readonly action: ActionName | 'observe';
  readonly container: string;
  readonly stepId: string;
  readonly token: number;
  readonly signal: AbortSignal;
}

/** Does what the control file says about this moment. */
export async function obeyControl(store: WorldStore, place: Place, when: Moment): Promise<void> {
  for (const one of (await readControl(store.folder)).rules) {
    if (one.do === 'fail-checks' || one.action !== place.action || one.when !== when) continue;
    if (one.container !== undefined && one.container !== place.container) continue;
    if (one.do === 'hold') await hold(store.folder, one, place, when);
    else if (await strikes(store, one, one.times)) {
      throw new LiftlockError(
        one.code,
        `${place.action} of ${place.container}: ${one.message}`,
        one.retryable === undefined ? {} : { retryable: one.retryable },
      );
    }
  }
}

async function strikes(
  store: WorldStore,
  one: ControlRule,
  times: number | undefined,
): Promise<boolean> {
  if (times === undefined) return true;
  const key = digestOf(one);
  return store.change((world) => {
    const before = world.strikes[key] ?? 0;
    if (before >= times) return [false, false] as const;
    world.strikes[key] = before + 1;
    return [true, true] as const;
  });
}

async function hold(
  folder: string,
  one: Extract<ControlRule, { do: 'hold' }>,
  place: Place,
  when: Moment,
): Promise<void> {
  const { signal, ...rest } = place;
  const line: Held = { ...rest, when, pid: process.pid };
  const path = join(folder, HELD, `${digestOf(line).slice(7, 39)}.json`);
  await mkdir(join(folder, HELD), { recursive: true });
  await writeFile(`${path}.partial`, JSON.stringify(line));
  await rename(`${path}.partial`, path);
  const end = one.ms === undefined ? Infinity : performance.now() + one.ms;
  const key = digestOf(one);
  try {
    while (performance.now() < end) {
      if (!one.deaf) signal.throwIfAborted();
      await delay(Math.min(10, Math.max(1, end - performance.now())));
      if (one.ms !== undefined) continue;
      const { rules } = await readControl(folder);
      if (!rules.some((other) => digestOf(other) === key)) break;
    }
  } finally {
    await rm(path, { force: true });
  }
}
