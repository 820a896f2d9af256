import { pointerOf } from './problems.js';

/** An instance as hooks of the whole application name it: with its target where its component has several. */
export interface InstanceName {
  readonly component: string;
  readonly target?: string | undefined;
}

/** What a hook, or its undo, does, as far as images and places go: of a component, or of the whole application. */
interface Work {
  readonly type: string;
  readonly image?: string | undefined;
  readonly instance?: InstanceName | undefined;
  readonly user?: string | undefined;
  readonly network?: string | undefined;
}

interface Named extends Work {
  readonly name: string;
}

interface Reversible extends Named {
  readonly undo?: Work | 'back' | 'none' | undefined;
}

interface Declared {
  readonly before: readonly Reversible[];
  /** Of a component's. */
  readonly stopped?: readonly Reversible[] | undefined;
  readonly after: readonly Reversible[];
  readonly onRollback: readonly Named[];
}

export interface PlacedWork {
  /** Of the hook, which is its undo's, too. */
  readonly name: string;
  /** Of the hook, within what declares it. */
  readonly pointer: string;
  /** Of the work itself: below the hook's where it is its undo. */
  readonly workPointer: string;
  readonly work: Work;
}

/** What hooks do, each with its undo behind it: of a component, or of the whole application. */
export function worksOf(hooks: Declared | undefined): PlacedWork[] {
  if (hooks === undefined) return [];
  return (['before', 'stopped', 'after', 'onRollback'] as const).flatMap((moment) =>
    (hooks[moment] ?? []).flatMap((hook: Reversible, index): PlacedWork[] => {
      const pointer = pointerOf('hooks', moment, index);
      const own = { name: hook.name, pointer, workPointer: pointer, work: hook };
      const { undo } = hook;
      return typeof undo === 'object'
        ? [own, { ...own, workPointer: `${pointer}/undo`, work: undo }]
        : [own];
    }),
  );
}

/** Whether this is the instance that a hook names. */
export function isNamed(
  one: {
    readonly component: { readonly name: string };
    readonly target: { readonly name: string };
  },
  { component, target }: InstanceName,
): boolean {
  return one.component.name === component && (target === undefined || one.target.name === target);
}
