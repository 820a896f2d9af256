import type { ApplicationDocument, Hook, HookWork } from '#contracts';
import type { ComponentSpec } from './planning-documents.js';
import { pointerOf } from './problems.js';

/** An instance as hooks of the whole application name it: with its target where its component has several. */
export interface InstanceName {
  readonly component: string;
  readonly target?: string | undefined;
}

/** What a hook, or its undo, does, as far as images go: of a component, or of the whole application. */
interface Work {
  readonly type: string;
  readonly image?: string | undefined;
  readonly instance?: InstanceName | undefined;
}

interface Reversible extends Work {
  readonly undo?: Work | 'none' | undefined;
}

interface Declared {
  readonly before: readonly Reversible[];
  readonly after: readonly Reversible[];
  readonly onRollback: readonly Work[];
}

interface Placed {
  readonly pointer: string;
  readonly work: Work;
}

interface JobImage {
  readonly pointer: string;
  readonly reference: string;
}

interface ApplicationJobImage extends JobImage {
  /** Beside which the job runs. */
  readonly instance: InstanceName;
}

function worksOf(hooks: Declared | undefined): Placed[] {
  if (hooks === undefined) return [];
  const { before, after, onRollback } = hooks;
  const reversible = Object.entries({ before, after }).flatMap(([moment, all]) =>
    all.flatMap((hook, index): Placed[] => {
      const pointer = pointerOf('hooks', moment, index);
      const own = { pointer, work: hook };
      return typeof hook.undo === 'object'
        ? [own, { pointer: `${pointer}/undo`, work: hook.undo }]
        : [own];
    }),
  );
  const back = onRollback.map((work, index) => ({
    pointer: pointerOf('hooks', 'onRollback', index),
    work,
  }));
  return [...reversible, ...back];
}

/** The images that jobs of a component name, each once. */
export function jobImageNames({ hooks }: ComponentSpec): JobImage[] {
  const found = new Map<string, JobImage>();
  for (const { pointer, work } of worksOf(hooks)) {
    if (work.type !== 'job' || work.image === undefined || found.has(work.image)) continue;
    const reference = work.image;
    found.set(reference, { pointer, reference });
  }
  return [...found.values()];
}

/** The images that jobs of the whole application name, each once for each instance that they are beside. */
export function applicationJobImageNames({
  hooks,
}: ApplicationDocument['spec']): ApplicationJobImage[] {
  const found = new Map<string, ApplicationJobImage>();
  for (const { pointer, work } of worksOf(hooks)) {
    const { type, image: reference, instance } = work;
    if (type !== 'job' || reference === undefined || instance === undefined) continue;
    const key = [reference, instance.component, instance.target ?? ''].join(' ');
    if (!found.has(key)) found.set(key, { pointer, reference, instance });
  }
  return [...found.values()];
}

/** The hook that takes this one back, where there is one. */
export function undoHook(hook: Hook): HookWork | undefined {
  return hook.undo === undefined || hook.undo === 'none' ? undefined : hook.undo;
}
