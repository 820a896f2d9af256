import { assertNever, inTexts } from '#kernel';
import {
  isObjectWork,
  type Hook,
  type HookWork,
  type RollbackHook,
  type Step,
  type StoppedHook,
} from '#contracts';
import { describeEdit, editBack, refuseMisplacedEdit } from './edit-hooks.js';
import type { ImageKey, SeenContainer, WantedImage } from './wanted-image.js';
import type { Instance } from './instances.js';
import { isIrreversible } from './hook-warnings.js';
import { manifestKey } from './manifests.js';
import {
  describeObjects,
  describeObjectsBack,
  forgetObjectsStep,
  isPutBack,
  isRecorded,
  namespaceOf,
  objectBackStep,
  objectStep,
  objectTimeoutSeconds,
  withWayBack,
} from './object-hooks.js';
import type { Problems } from './problems.js';
import type { StepAbout, StepMaker } from './step-maker.js';

interface HookSubject {
  readonly instance: Instance;
  readonly container: Pick<SeenContainer, 'container' | 'running' | 'mounts'> & {
    readonly containerId: string;
  };
  readonly from: string;
  readonly to: string;
  readonly image: WantedImage;
  readonly jobImages?: ReadonlyMap<string, WantedImage> | undefined;
  /** Of what is applied, by `manifestKey`. */
  readonly manifests?: ReadonlyMap<string, string> | undefined;
  /** By which the instance is known before, and after, its container was replaced. */
  readonly oldImage: ImageKey;
  readonly newImage: ImageKey;
}

/** Adds a step to the way back. @returns its ID. */
export type AddStep = (
  name: string,
  step: (id: string) => Step,
  when: readonly string[],
  after: readonly string[],
  destinationOnly: boolean,
) => string;

type AnyHook = (Hook | StoppedHook | RollbackHook | HookWork) & { readonly name?: string };
/** One that is done on the way forward. */
type ForwardHook = Hook | StoppedHook;
type HookMoment = 'before' | 'stopped' | 'after';

/** How a title begins. */
const MOMENTS: Readonly<Record<HookMoment, (instance: string) => string>> = {
  before: (instance) => `Before ${instance}`,
  stopped: (instance) => `While ${instance} is down`,
  after: (instance) => `After ${instance}`,
};

/** The steps of one lane that its component's hooks are. */
export class LaneHooks {
  /** What runs on the way back as a job, and the steps of which one has begun when any of them runs. */
  private readonly backJobs = { steps: [] as string[], when: new Set<string>() };

  constructor(
    private readonly maker: StepMaker,
    private readonly subject: HookSubject,
    private readonly lane: string,
  ) {}

  before(): Step[] {
    return this.declared.before.map((hook) => this.forward('before', hook));
  }

  /** Between its stop and the start of the new version. */
  stopped(): Step[] {
    return this.declared.stopped.map((hook) => this.forward('stopped', hook));
  }

  after(): Step[] {
    return this.declared.after.map((hook) => this.forward('after', hook));
  }

  /** What may have written to the data while the instance was down: then a restore is needed, though no new version ever ran. */
  writersWhileDown(): string[] {
    return this.declared.stopped
      .filter((hook) => hook.type === 'job' && hook.volumesFrom)
      .map((hook) => this.idOf('stopped', hook));
  }

  /** While the new version is still there: what came last is undone first. */
  planUndoOfAfter(add: AddStep): string[] {
    const { after } = this.declared;
    const jobs = this.jobs();
    const ids: string[] = [];
    // one that was left by a dead attempt may be at work on the data
    if (jobs.length > 0)
      ids.push(add('remove-jobs', (id) => this.removeJobs(id, jobs), jobs, [], false));
    return this.planUndo(add, 'after', after, ids, this.subject.newImage);
  }

  /**
   * Between the restore, which brings what was edited, and the start of the old version, which reads it again: first all that was done while
   * the instance was down, then what was changed before, and is read at a start.
   */
  planUndoBeforeStart(add: AddStep, after: readonly string[]): string[] {
    const { before, stopped } = this.declared;
    const ids = this.planUndo(add, 'stopped', stopped, after, this.imageWhileDown);
    const read = before.filter(isReadAtStart);
    return this.planUndo(add, 'before', read, ids, this.subject.oldImage).slice(after.length);
  }

  /**
   * When the old version was verified: first what was done before it was stopped is undone, then what is only for the way back. Planned after
   * `planUndoOfAfter`, whose jobs are removed here, too.
   * @param when steps of which one has begun when the instance was touched
   * @param after steps by which the old version is back
   */
  planOnceBack(add: AddStep, when: readonly string[], after: readonly string[]): string[] {
    const { instance, oldImage } = this.subject;
    const { before, onRollback } = this.declared;
    const others = before.filter((hook) => !isReadAtStart(hook));
    const undone = this.planUndo(add, 'before', others, after, oldImage).slice(after.length);
    const ids = [...undone];
    for (const hook of onRollback) {
      // what did not run before does not run now
      if (hook.type === 'command' && !this.subject.container.running) continue;
      const title = `On the way back of ${instance.id}, ${hook.name}: ${describeHook(hook)}`;
      const step = (id: string): Step => this.step(id, title, hook, oldImage);
      const id = add(`on-rollback-${hook.name}`, step, when, [...after, ...ids], true);
      ids.push(id);
      this.noteBackJob(hook, id, when);
    }
    const { steps, when: anyOf } = this.backJobs;
    if (steps.length === 0) return ids;
    const remove = (id: string): Step => this.removeJobs(id, steps);
    return [...ids, add('remove-back-jobs', remove, [...anyOf], [...after, ...ids], false)];
  }

  private noteBackJob({ type }: AnyHook, id: string, when: readonly string[]): void {
    if (type !== 'job') return;
    this.backJobs.steps.push(id);
    for (const one of when) this.backJobs.when.add(one);
  }

  /** What jobs left behind, and what was written down of edits, and kept of objects. */
  finalize(hop: number): Step[] {
    const jobs = this.jobs();
    const edits = this.all(isUndoneEdit).map(({ id }) => id);
    const place = `finalize/${this.subject.instance.id}/${hop}`;
    return [
      ...(jobs.length === 0 ? [] : [this.removeJobs(`${place}-remove-jobs`, jobs)]),
      ...(edits.length === 0 ? [] : [this.forgetEdits(`${place}-forget-edits`, edits)]),
      ...this.forgetObjects(`${place}-forget-objects`),
    ];
  }

  private get declared(): Readonly<{
    before: readonly Hook[];
    stopped: readonly StoppedHook[];
    after: readonly Hook[];
    onRollback: readonly RollbackHook[];
  }> {
    const {
      before = [],
      stopped,
      after = [],
      onRollback = [],
    } = this.subject.instance.component.hooks ?? {};
    return {
      before: before.map(withWayBack),
      stopped: (stopped ?? []).map(withWayBack),
      after: after.map(withWayBack),
      onRollback,
    };
  }

  /** Those of the way forward that are such, with their steps, in order. */
  private all(
    isSuch: (hook: ForwardHook) => boolean,
  ): Array<{ readonly id: string; readonly hook: ForwardHook }> {
    const { before, stopped, after } = this.declared;
    return Object.entries({ before, stopped, after }).flatMap(([moment, hooks]) =>
      (hooks as readonly ForwardHook[])
        .filter(isSuch)
        .map((hook) => ({ id: this.idOf(moment, hook), hook })),
    );
  }

  private jobs(): string[] {
    return this.all(({ type }) => type === 'job').map(({ id }) => id);
  }

  private idOf(moment: string, { name }: ForwardHook): string {
    return `${this.lane}/${moment}-${name}`;
  }

  private forward(moment: HookMoment, hook: ForwardHook): Step {
    const { instance, oldImage, newImage } = this.subject;
    const title = `${MOMENTS[moment](instance.id)}, ${hook.name}: ${describeHook(hook)}`;
    const images = { before: oldImage, stopped: this.imageWhileDown, after: newImage };
    return this.step(this.idOf(moment, hook), title, hook, images[moment]);
  }

  /** A workload that is down has no pods that an image could be seen of. */
  private get imageWhileDown(): ImageKey {
    const { instance, oldImage } = this.subject;
    return instance.target.driver === 'kubernetes' ? {} : oldImage;
  }

  /** One after the other, the last first. @returns all that came before, and these. */
  private planUndo(
    add: AddStep,
    moment: HookMoment,
    hooks: readonly ForwardHook[],
    after: readonly string[],
    image: ImageKey,
  ): string[] {
    const ids = [...after];
    for (const hook of hooks.toReversed()) {
      const undoes = this.idOf(moment, hook);
      const when = [undoes];
      if (isObjectWork(hook) && isPutBack(hook)) {
        const back = (id: string): Step => this.objectBack(id, hook, undoes);
        ids.push(add(`undo-${hook.name}`, back, when, [...ids], false));
        continue;
      }
      const undo = undoHook(hook);
      if (undo === undefined) continue;
      const title = `Undo ${hook.name} of ${this.subject.instance.id}: ${describeHook(undo)}`;
      const step = (id: string): Step => this.step(id, title, undo, image, undoes);
      const id = add(`undo-${hook.name}`, step, when, [...ids], false);
      ids.push(id);
      this.noteBackJob(undo, id, when);
    }
    return ids;
  }

  /** @param undoes the step that it takes back, where it does */
  private step(id: string, title: string, hook: AnyHook, image: ImageKey, undoes?: string): Step {
    const { instance, container: seen } = this.subject;
    const { container, containerId } = seen;
    const about = {
      ...{ id, title, target: instance.target, component: instance.component.name },
      pointer: instance.pointer,
      ...tryingOf(hook),
    };
    if (isObjectWork(hook)) {
      const work = this.told(hook);
      const digest =
        work.type === 'apply'
          ? this.subject.manifests?.get(manifestKey(work.path, namespaceOf(work, instance)))
          : undefined;
      const isKept = undoes === undefined && isRecorded(hook);
      return objectStep(this.maker, about, { instance, container, work }, { isKept, digest });
    }
    switch (hook.type) {
      case 'command': {
        const { type, command, env, user, exitCode } = hook;
        const work = this.told({ type, command, env, user, exitCode });
        const input = { container, ...image, work, onlyWhileRunning: undoes !== undefined };
        return this.maker.make('hook.command', about, input);
      }
      case 'http': {
        const { type, method, url, headers, body, status } = hook;
        const work = this.told({ type, method, url, headers, body, status });
        return this.maker.make('hook.http', about, { work });
      }
      case 'job': {
        const { type, image: named, entrypoint, command, env, user, network, volumesFrom } = hook;
        const work = this.told({ type, entrypoint, command, env, user, network, volumesFrom });
        const own = named === undefined ? undefined : this.subject.jobImages?.get(named);
        const { identity } = own ?? this.subject.image;
        return this.maker.make('hook.job', about, { container, ...image, image: identity, work });
      }
      case 'edit': {
        const { type, path, replace } = hook;
        const work = this.told({ type, path, replace });
        // whichever container has the name by then: its volumes and folders are those of the one that the lane begins with
        const input = { container, containerId, work, recorded: isUndoneEdit(hook) };
        return this.maker.make('hook.edit', about, { ...input, undoes });
      }
      default:
        return assertNever(hook, 'hook');
    }
  }

  private objectBack(
    id: string,
    hook: Parameters<typeof describeObjects>[0] & { name: string },
    undoes: string,
  ): Step {
    const { instance, container } = this.subject;
    const about = {
      ...{ id, title: `Undo ${hook.name} of ${instance.id}: ${describeObjectsBack(hook)}` },
      ...{ target: instance.target, component: instance.component.name },
      ...{ pointer: instance.pointer, repeatable: true },
    };
    const work = this.told(hook);
    return objectBackStep(
      this.maker,
      about,
      { instance, container: container.container, work },
      undoes,
    );
  }

  private forgetObjects(id: string): Step[] {
    const { instance, container } = this.subject;
    const kept = this.all(isRecorded).flatMap(({ id: step, hook }) =>
      isObjectWork(hook) ? [{ step, work: hook }] : [],
    );
    if (kept.length === 0) return [];
    const about = {
      ...{
        id,
        title: `Forget what was kept of objects of ${instance.id}`,
        target: instance.target,
      },
      ...{ component: instance.component.name, pointer: instance.pointer },
    };
    return [
      forgetObjectsStep(this.maker, about, { instance, container: container.container }, kept),
    ];
  }

  private removeJobs(id: string, steps: readonly string[]): Step {
    const { instance, container } = this.subject;
    const about = {
      ...{ id, title: `Remove the jobs of ${instance.id}`, target: instance.target },
      ...{ component: instance.component.name, pointer: instance.pointer },
    };
    const input = { container: container.container, steps: [...steps] };
    return this.maker.make('hook.remove-jobs', about, input);
  }

  private forgetEdits(id: string, steps: readonly string[]): Step {
    const { instance, container } = this.subject;
    const about = {
      ...{ id, title: `Forget what edits of ${instance.id} replaced`, target: instance.target },
      ...{ component: instance.component.name, pointer: instance.pointer },
    };
    const input = { container: container.container, steps: [...steps] };
    return this.maker.make('hook.forget-edits', about, input);
  }

  private told<W extends object>(work: W): W {
    return withVersions(work, this.subject);
  }
}

/** With the versions in place of what stands for them. */
export function withVersions<W extends object>(
  work: W,
  { from, to }: { readonly from: string; readonly to: string },
): W {
  const versions: Record<string, string> = { FROM: from, TO: to };
  return inTexts(work, (text) =>
    text.replace(/\$\{LIFTLOCK_(FROM|TO)_VERSION\}/g, (_all, key: string) => versions[key] ?? ''),
  );
}

/** What a step of a hook is besides its place and its work. */
export function tryingOf(
  hook: AnyHook,
): Pick<StepAbout, 'timeoutSeconds' | 'repeatable' | 'retry' | 'undo'> {
  return {
    timeoutSeconds: isObjectWork(hook)
      ? objectTimeoutSeconds(hook, hook.timeoutSeconds)
      : hook.timeoutSeconds,
    undo: undoOf(hook),
    repeatable: ('repeatable' in hook ? hook.repeatable : undefined) ?? isIdempotent(hook),
    retry: { maxAttempts: hook.retries + 1, backoffSeconds: 1, maxBackoffSeconds: 30 },
  };
}

function undoOf(hook: AnyHook): Step['undo'] {
  if (!('undo' in hook) && !('irreversible' in hook)) return 'none_needed';
  if (isIrreversible(hook)) return 'irreversible';
  return 'undo' in hook && hook.undo !== 'none' ? 'inverse' : 'none_needed';
}

/** RFC 9110, 9.2.2. */
const IDEMPOTENT: readonly string[] = ['GET', 'HEAD', 'PUT', 'DELETE'];

function isIdempotent(hook: AnyHook): boolean {
  return (
    hook.type === 'edit' ||
    isObjectWork(hook) ||
    (hook.type === 'http' && IDEMPOTENT.includes(hook.method))
  );
}

function isEdit({ type }: { readonly type: string }): boolean {
  return type === 'edit';
}

/** What a version reads when it starts: it is undone before the old one does. */
function isReadAtStart(hook: ForwardHook): boolean {
  return isEdit(hook) || isPutBack(hook);
}

/** One that knows its way back, and goes it. */
export function isUndoneEdit(hook: { readonly type: string; readonly undo?: unknown }): boolean {
  return isEdit(hook) && hook.undo === 'back';
}

/** The hook that takes this one back, where there is one. */
function undoHook(hook: ForwardHook): AnyHook | undefined {
  if (hook.undo === undefined || hook.undo === 'none') return undefined;
  if (hook.type === 'edit') return editBack(hook);
  return hook.undo === 'back' ? undefined : hook.undo;
}

/** What a person reads: never a header's or a variable's value. */
export function describeHook(hook: AnyHook): string {
  if (isObjectWork(hook)) return describeObjects(hook);
  switch (hook.type) {
    case 'command':
      return hook.command.join(' ');
    case 'http':
      return `${hook.method} ${hook.url}`;
    case 'job':
      return `job ${[hook.image, ...(hook.command ?? [])].filter((one) => one !== undefined).join(' ')}`.trim();
    case 'edit':
      return describeEdit(hook);
    default:
      return assertNever(hook, 'hook');
  }
}

/** A command needs a container that runs, and an edit a file that other containers see, too. */
export function refuseImpossibleHooks(
  subject: Pick<HookSubject, 'instance' | 'container' | 'from' | 'to'>,
  problems: Problems,
): void {
  const { instance, container } = subject;
  const { before = [], stopped = [], after = [], onRollback = [] } = instance.component.hooks ?? {};
  for (const hook of [...before, ...stopped, ...after, ...onRollback]) {
    if (hook.type !== 'edit') continue;
    const edit = withVersions(hook, subject);
    refuseMisplacedEdit(edit, instance, container, instance.pointer, problems);
  }
  const [first] = instance.component.hooks?.before.filter(({ type }) => type === 'command') ?? [];
  if (first === undefined || container.running) return;
  problems.add(
    'unplannable',
    instance.pointer,
    `the hook ${first.name} is a command in ${instance.id}, which does not run: start it, or make the hook a job`,
  );
}
