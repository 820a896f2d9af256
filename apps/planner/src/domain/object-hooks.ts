import { assertNever } from '#kernel';
import { objectWorkOf, isObjectWorkType, type ObjectWork, type Step } from '#contracts';
import type { Instance } from './instances.js';
import type { StepAbout, StepMaker } from './step-maker.js';

/** What a step does to objects, and beside which instance. */
interface PlacedObjects {
  readonly instance: Instance;
  /** By which the instance is known there. */
  readonly container: string;
  readonly work: ObjectWork;
}

interface Undoable {
  readonly type: string;
  readonly undo?: unknown;
  readonly irreversible?: unknown;
}

/** What is done to objects is put back where the document says nothing else. */
export function withWayBack<H extends Undoable>(hook: H): H {
  const { type, undo, irreversible } = hook;
  const isSettled = !isObjectWorkType(type) || undo !== undefined || irreversible !== undefined;
  return isSettled ? hook : { ...hook, undo: 'back' };
}

/** One that goes back by what was kept of the objects. */
export function isPutBack(hook: { readonly type: string; readonly undo?: unknown }): boolean {
  return isObjectWorkType(hook.type) && hook.undo === 'back';
}

/** What was kept of it must be there for the way back; which nodes were cordoned, also for what lets pods be put on them again. */
export function isRecorded(hook: { readonly type: string; readonly undo?: unknown }): boolean {
  return isPutBack(hook) || hook.type === 'cordon' || hook.type === 'drain';
}

/** Where its objects are, but for those that belong to no namespace. A model of a cluster has only one. */
export function namespaceOf(
  { namespace }: { readonly namespace?: string | undefined },
  { component }: Pick<Instance, 'component'>,
): string {
  return namespace ?? component.workload?.namespace ?? component.service?.namespace ?? 'default';
}

/** The same for each kind of work: those of nodes have none. */
export function namespaceOfWork(work: ObjectWork, instance: Pick<Instance, 'component'>): string {
  return namespaceOf('namespace' in work ? work : {}, instance);
}

/** Seconds for what a driver needs besides waiting: it ends by itself at the deadline. */
const MARGIN_SECONDS = 60;

export function objectTimeoutSeconds(work: ObjectWork, wanted: number): number {
  return 'deadlineSeconds' in work
    ? Math.max(wanted, work.deadlineSeconds + MARGIN_SECONDS)
    : wanted;
}

/** @param digest of `apply`: of what was built when the target was looked at */
export function objectStep(
  maker: StepMaker,
  about: StepAbout,
  { instance, container, work }: PlacedObjects,
  { isKept, digest }: { readonly isKept: boolean; readonly digest: string | undefined },
): Step {
  return maker.make('hook.object', about, {
    container,
    namespace: namespaceOfWork(work, instance),
    work: objectWorkOf(work),
    ...(work.type === 'apply' && digest !== undefined ? { digest } : {}),
    recorded: isKept,
  });
}

/** @param undoes the step that is taken back */
export function objectBackStep(
  maker: StepMaker,
  about: StepAbout,
  { instance, container, work }: PlacedObjects,
  undoes: string,
): Step {
  const namespace = namespaceOfWork(work, instance);
  const input = { container, namespace, work: objectWorkOf(work), undoes };
  return maker.make('hook.object-back', about, input);
}

/** @param kept what was kept, by the steps that did */
export function forgetObjectsStep(
  maker: StepMaker,
  about: StepAbout,
  { instance, container }: Omit<PlacedObjects, 'work'>,
  kept: ReadonlyArray<{ readonly step: string; readonly work: ObjectWork }>,
): Step {
  const own = namespaceOf({}, instance);
  const namespaces = new Set([own, ...kept.map(({ work }) => namespaceOfWork(work, instance))]);
  return maker.make('hook.forget-objects', about, {
    container,
    namespaces: [...namespaces].toSorted(),
    steps: kept.map(({ step }) => step),
  });
}

/** What a person reads: keys, and never what a Secret holds. */
export function describeObjects(work: ObjectWork): string {
  switch (work.type) {
    case 'merge':
      return `put ${keysOf(work.data)} into ${work.object}`;
    case 'secret':
      return work.replace
        ? `make ${work.object} anew with ${keysOf(work.data)}`
        : `put ${keysOf(work.data)} into ${work.object}`;
    case 'delete':
      return `delete ${work.object}`;
    case 'apply':
      return `apply ${work.path}`;
    case 'patch': {
      const change = Object.keys(work.patch).length === 0 ? 'see' : 'patch';
      if (work.until === undefined) return `${change} ${work.object}`;
      const until =
        'condition' in work.until
          ? `${work.until.condition} is ${work.until.status}`
          : `${work.until.jsonPath} is ${work.until.equals}`;
      return `${change} ${work.object}, until ${until}`;
    }
    case 'cordon':
    case 'drain':
    case 'uncordon':
      return `${work.type} ${nodesText(work.nodes)}`;
    default:
      return assertNever(work, 'object work');
  }
}

/** What is done on the way back by what was kept. */
export function describeObjectsBack(work: ObjectWork): string {
  switch (work.type) {
    case 'merge':
    case 'secret':
    case 'patch':
      return `${work.object} as it was`;
    case 'delete':
      return `make ${work.object} again as it was`;
    case 'apply':
      return `what ${work.path} holds as it was`;
    case 'cordon':
    case 'drain':
      return `uncordon ${nodesText(work.nodes)}, if it was cordoned here`;
    case 'uncordon':
      return `cordon ${nodesText(work.nodes)} again, if it was uncordoned here`;
    default:
      return assertNever(work, 'object work');
  }
}

function keysOf(data: Readonly<Record<string, string | null>>): string {
  return Object.entries(data)
    .map(([key, value]) => (value === null ? `no ${key}` : key))
    .join(', ');
}

function nodesText({ names, selector }: Extract<ObjectWork, { type: 'drain' }>['nodes']): string {
  if (names !== undefined) return names.join(', ');
  const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return `nodes with ${labels.join(', ')}`;
}
