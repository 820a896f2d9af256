import {
  isObjectWork,
  type ApplicationBackStep,
  type ApplicationDocument,
  type ApplicationHooks,
  type ImageIdentity,
  type ObjectWork,
  type Plan,
  type Step,
  type UpgradeHook,
  type UpgradeHookWork,
  type UpgradeRollbackHook,
} from '#contracts';
import { assertNever } from '#kernel';
import type { HookImage } from './hook-images.js';
import { isIrreversible } from './hook-warnings.js';
import type { InstanceName } from './hook-works.js';
import type { Instance } from './instances.js';
import type { LaneDraft } from './lane-draft.js';
import { editBack, isAmongData, refuseMisplacedEdit } from './edit-hooks.js';
import { describeHook, isUndoneEdit, tryingOf, withVersions } from './lane-hooks.js';
import { forgetObjectsOfWhole, idOf, instanceThere } from './application-objects.js';
import { manifestKey } from './manifests.js';
import {
  describeObjectsBack,
  isPutBack,
  isRecorded,
  namespaceOf,
  objectBackStep,
  objectStep,
  withWayBack,
} from './object-hooks.js';
import { pointerOf, type Problems } from './problems.js';
import type { StepMaker } from './step-maker.js';
import type { Survey } from './survey.js';
import { imageKeyOf, type ImageKey } from './wanted-image.js';

type AnyHook = UpgradeHook | UpgradeRollbackHook | UpgradeHookWork;
type Moment = 'before' | 'after' | 'onRollback';

/** What the plan is about, as far as hooks of the whole application must know it. */
export interface HookedUpgrade {
  readonly application: ApplicationDocument;
  readonly instances: readonly Instance[];
  readonly seen: Pick<Survey, 'observed' | 'seen' | 'manifests'>;
  readonly lanes: readonly LaneDraft[];
  /** Of its jobs that name one. */
  readonly jobImages: readonly HookImage[];
  /** Of the upgrade, as the plan names them. */
  readonly from: string;
  readonly to: string;
}

/** A job, and the forward steps of which one has begun when there may be something of it. */
interface PlacedJob extends PlacedStep {
  readonly when: readonly string[];
}

interface PlacedStep {
  readonly id: string;
  readonly instance: Instance;
}

/** The steps of the hooks that an application has for the whole of an upgrade, forward and back. Http calls are made from the site of its first instance. */
export class ApplicationHookPlanner {
  constructor(
    private readonly maker: StepMaker,
    private readonly upgrade: HookedUpgrade,
  ) {}

  /** Nothing where it has none: then the plan is as it was before there were any. */
  plan(): ApplicationHooks | undefined {
    const { hooks } = this.upgrade.application.spec;
    if (hooks === undefined || Object.values(hooks).every((all) => all.length === 0))
      return undefined;
    const { onRollback } = hooks;
    const [before, after] = [hooks.before.map(withWayBack), hooks.after.map(withWayBack)];
    return {
      before: before.map((hook, index) => this.forward('before', hook, index)),
      after: after.map((hook, index) => this.forward('after', hook, index)),
      undoAfter: [
        // one that was left by a dead attempt may be at work on the data
        ...this.removals('remove-jobs', this.jobsOfWay()),
        ...this.undoOf('after', after),
        // no data is restored beside one that was not waited for
        ...this.removals('remove-undo-jobs', this.jobsOfUndo('after')),
        // before an old version starts and reads them again
        ...this.undoOf('before', before, isReadAtStart),
      ],
      onceBack: [
        ...this.undoOf('before', before, (hook) => !isReadAtStart(hook)),
        ...onRollback.map((hook, index) => {
          const id = backIdOf(hook);
          const title = `On the way back, ${hook.name}: ${describeHook(hook)}`;
          return this.step(id, title, hook, 'onRollback', index);
        }),
      ],
    };
  }

  /** What jobs left behind, of the way forward and of the way back, and what was written down of edits: on every end, where one had begun. */
  finalize(): Plan['finalize'] {
    const jobs = [
      ...this.jobsOfWay(),
      ...this.jobsOfUndo('after'),
      ...this.jobsOfUndo('before'),
      ...this.jobsOnRollback(),
    ];
    const removed = byInstance(jobs).map(([instance, steps]) => ({
      ...this.removeJobs(`finalize/application/${instance.id}-remove-jobs`, instance, steps),
      when: steps,
    }));
    const forgotten = byInstance(this.edits()).map(([instance, steps]) => ({
      ...this.forgetEdits(`finalize/application/${instance.id}-forget-edits`, instance, steps),
      when: steps,
    }));
    return [
      ...removed,
      ...forgotten,
      ...forgetObjectsOfWhole(this.maker, this.upgrade.application, this.upgrade.instances),
    ];
  }

  /** A command needs a container that runs; on the way back it is left out where there was none. */
  refuseImpossible(problems: Problems): void {
    const { before = [], after = [] } = this.upgrade.application.spec.hooks ?? {};
    const refuse = (moment: 'before' | 'after', hook: UpgradeHook, index: number): void => {
      if (hook.type !== 'command') return;
      const { id } = this.instanceOf(hook.instance);
      const seen = this.upgrade.seen.observed.find(({ instance }) => instance === id);
      // an instance that is upgraded runs afterwards, whatever was before
      if (seen?.running === true || (moment === 'after' && this.isUpgraded(id))) return;
      const message = `the hook ${hook.name} is a command in ${id}, which does not run: start it, or let the hook be a job or an http call`;
      problems.add('unplannable', this.pointer(moment, index), message);
    };
    before.forEach((hook, index) => refuse('before', hook, index));
    after.forEach((hook, index) => refuse('after', hook, index));
    this.refuseImpossibleEdits(problems);
  }

  private refuseImpossibleEdits(problems: Problems): void {
    const { before = [], after = [], onRollback = [] } = this.upgrade.application.spec.hooks ?? {};
    for (const [moment, hooks] of Object.entries({ before, after, onRollback }))
      for (const [index, hook] of hooks.entries()) {
        if (hook.type !== 'edit') continue;
        const instance = this.instanceOf(hook.instance);
        const pointer = this.pointer(moment as Moment, index);
        const edit = withVersions(hook, this.upgrade);
        const at = this.upgrade.seen.seen.get(instance.target.name);
        const container = at?.target.container(instance.container);
        // one that was not found is among the problems
        if (container === undefined) continue;
        refuseMisplacedEdit(edit, instance, container, pointer, problems);
        const isRestored =
          this.isUpgraded(instance.id) && isAmongData(edit.path, instance, container);
        if (moment === 'before' && isUndoneEdit(hook) && isRestored)
          problems.add(
            'unplannable',
            pointer,
            `the hook ${hook.name} edits ${edit.path}, which is among the data of ${instance.id}: on the way back the restore would bring the edited file after it was put back; let it be a hook of the component ${instance.component.name}`,
          );
      }
  }

  warnings(): string[] {
    const { metadata, spec } = this.upgrade.application;
    const { before = [], after = [] } = spec.hooks ?? {};
    const irreversible = [...before, ...after]
      .filter(isIrreversible)
      .map(
        ({ name }) =>
          `${name} of ${metadata.name} cannot be undone: once it has begun, the upgrade only goes forward`,
      );
    const lasting = after.flatMap((hook): string[] => {
      if (hook.type !== 'job' || !hook.volumesFrom || hook.undo !== 'none') return [];
      const { id, component } = this.instanceOf(hook.instance);
      if (this.isUpgraded(id) && component.data !== undefined) return [];
      const why = this.isUpgraded(id) ? 'its document names no data' : 'it is not upgraded';
      return [
        `${hook.name} of ${metadata.name} is a job on the data of ${id}, of which no snapshot is taken (${why}): what it changes stays when the upgrade goes back; give it an undo`,
      ];
    });
    return [...irreversible, ...lasting];
  }

  private forward(moment: 'before' | 'after', hook: UpgradeHook, index: number): Step {
    const { name } = this.upgrade.application.metadata;
    const title = `${moment === 'before' ? 'Before' : 'After'} ${name}, ${hook.name}: ${describeHook(hook)}`;
    return this.step(idOf(moment, hook), title, hook, moment, index);
  }

  /** What came last is undone first. */
  private undoOf(
    moment: 'before' | 'after',
    hooks: readonly UpgradeHook[],
    which: (hook: UpgradeHook) => boolean = () => true,
  ): ApplicationBackStep[] {
    return hooks
      .map((hook, index): ApplicationBackStep[] => {
        if (hook.undo === undefined || hook.undo === 'none' || !which(hook)) return [];
        const [id, undoes] = [undoIdOf(moment, hook), idOf(moment, hook)];
        if (isObjectWork(hook) && hook.undo === 'back')
          return [{ ...this.objectBack(id, hook, moment, index, undoes), when: [undoes] }];
        const undo = hook.type === 'edit' ? editBack(hook) : hook.undo;
        if (undo === 'back') return [];
        const title = `Undo ${hook.name}: ${describeHook(undo)}`;
        return [{ ...this.step(id, title, undo, moment, index, undoes), when: [undoes] }];
      })
      .toReversed()
      .flat();
  }

  private jobsOfWay(): PlacedJob[] {
    const { hooks } = this.upgrade.application.spec;
    return (['before', 'after'] as const).flatMap((moment) =>
      (hooks?.[moment] ?? []).flatMap((hook): PlacedJob[] => {
        if (hook.type !== 'job') return [];
        const id = idOf(moment, hook);
        return [{ id, instance: this.instanceOf(hook.instance), when: [id] }];
      }),
    );
  }

  private jobsOfUndo(moment: 'before' | 'after'): PlacedJob[] {
    const hooks = this.upgrade.application.spec.hooks?.[moment] ?? [];
    return hooks.flatMap((hook): PlacedJob[] => {
      if (typeof hook.undo !== 'object' || hook.undo.type !== 'job') return [];
      const instance = this.instanceOf(hook.undo.instance);
      return [{ id: undoIdOf(moment, hook), instance, when: [idOf(moment, hook)] }];
    });
  }

  private jobsOnRollback(): PlacedJob[] {
    const { onRollback = [] } = this.upgrade.application.spec.hooks ?? {};
    return onRollback.flatMap((hook): PlacedJob[] => {
      if (hook.type !== 'job') return [];
      return [{ id: backIdOf(hook), instance: this.instanceOf(hook.instance), when: [] }];
    });
  }

  private edits(): PlacedStep[] {
    const { before = [], after = [] } = this.upgrade.application.spec.hooks ?? {};
    const of = (moment: 'before' | 'after', hooks: readonly UpgradeHook[]): PlacedStep[] =>
      hooks.flatMap((hook) => {
        if (hook.type !== 'edit' || !isUndoneEdit(hook)) return [];
        return [{ id: idOf(moment, hook), instance: this.instanceOf(hook.instance) }];
      });
    return [...of('before', before), ...of('after', after)];
  }

  private objectBack(
    id: string,
    hook: ObjectHook,
    moment: Moment,
    index: number,
    undoes: string,
  ): Step {
    const instance = this.instanceOf(hook.instance);
    const { target, component, container } = instance;
    const title = `Undo ${hook.name}: ${describeObjectsBack(hook)}`;
    const about = { id, title, target, component: component.name, repeatable: true };
    const work = withVersions(hook, this.upgrade);
    const place = { ...about, pointer: this.pointer(moment, index) };
    return objectBackStep(this.maker, place, { instance, container, work }, undoes);
  }

  private removals(name: string, jobs: readonly PlacedJob[]): ApplicationBackStep[] {
    return byInstance(jobs).map(([instance, steps]) => ({
      ...this.removeJobs(`application/${name}-${instance.id}`, instance, steps),
      when: jobs.filter((one) => one.instance === instance).flatMap(({ when }) => when),
    }));
  }

  private removeJobs(id: string, instance: Instance, steps: readonly string[]): Step {
    const { metadata } = this.upgrade.application;
    const { target, component, container } = instance;
    const about = {
      ...{ id, title: `Remove the jobs of ${metadata.name} at ${instance.id}`, target },
      component: component.name,
      pointer: pointerOf('applications', metadata.name, 'spec', 'hooks'),
    };
    return this.maker.make('hook.remove-jobs', about, { container, steps: [...steps] });
  }

  private forgetEdits(id: string, instance: Instance, steps: readonly string[]): Step {
    const { metadata } = this.upgrade.application;
    const { target, component, container } = instance;
    const about = {
      ...{ id, title: `Forget what edits of ${metadata.name} replaced at ${instance.id}`, target },
      component: component.name,
      pointer: pointerOf('applications', metadata.name, 'spec', 'hooks'),
    };
    return this.maker.make('hook.forget-edits', about, { container, steps: [...steps] });
  }

  private step(
    id: string,
    title: string,
    hook: AnyHook,
    moment: Moment,
    index: number,
    undoes?: string,
  ): Step {
    const about = { id, title, pointer: this.pointer(moment, index), ...tryingOf(hook) };
    if (isObjectWork(hook)) {
      const instance = this.instanceOf(hook.instance);
      const { target, component, container } = instance;
      const work = withVersions(hook, this.upgrade);
      const manifests = this.upgrade.seen.manifests.get(instance.id);
      const digest =
        work.type === 'apply'
          ? manifests?.get(manifestKey(work.path, namespaceOf(work, instance)))
          : undefined;
      const isKept = undoes === undefined && isRecorded(hook);
      const place = { ...about, target, component: component.name };
      return objectStep(this.maker, place, { instance, container, work }, { isKept, digest });
    }
    switch (hook.type) {
      case 'http': {
        const { type, method, url, headers, body, status } = hook;
        const work = withVersions({ type, method, url, headers, body, status }, this.upgrade);
        return this.maker.make('hook.http', { ...about, target: this.site }, { work });
      }
      case 'command': {
        const { type, command, env, user, exitCode } = hook;
        const work = withVersions({ type, command, env, user, exitCode }, this.upgrade);
        const { target, component, container } = this.instanceOf(hook.instance);
        // its image is left open: on the way back over several hops it may be that of any of them
        const input = {
          container,
          work,
          onlyWhileRunning: undoes !== undefined || moment === 'onRollback',
        };
        const place = { ...about, target, component: component.name };
        return this.maker.make('hook.command', place, input);
      }
      case 'job': {
        const { type, image, entrypoint, command, env, user, network, volumesFrom } = hook;
        const work = withVersions(
          { type, entrypoint, command, env, user, network, volumesFrom },
          this.upgrade,
        );
        const instance = this.instanceOf(hook.instance);
        const { target, component, container } = instance;
        const beside =
          moment === 'after' && undoes === undefined ? this.upgradedImageOf(instance) : {};
        const input = { container, ...beside, image: this.imageOf(instance, image), work };
        return this.maker.make('hook.job', { ...about, target, component: component.name }, input);
      }
      case 'edit': {
        const { type, path, replace } = hook;
        const work = withVersions({ type, path, replace }, this.upgrade);
        const { target, component, container } = this.instanceOf(hook.instance);
        const input = { container, work, recorded: isUndoneEdit(hook), undoes };
        return this.maker.make('hook.edit', { ...about, target, component: component.name }, input);
      }
      default:
        return assertNever(hook, 'hook');
    }
  }

  private get site(): Instance['target'] {
    const [first] = this.upgrade.lanes;
    if (first === undefined) throw new Error('a plan without lanes is none');
    return first.leg.instance.target;
  }

  private instanceOf(name: InstanceName): Instance {
    return instanceThere(this.upgrade.instances, name);
  }

  /** The one that it names, else that of the version to go to: where the instance is not upgraded it runs that already. */
  private imageOf({ id }: Instance, named: string | undefined): ImageIdentity {
    const { lanes, jobImages, seen } = this.upgrade;
    const own = jobImages.find(
      ({ instance, reference }) => instance.id === id && reference === named,
    );
    const last = lanes.findLast(({ leg }) => leg.instance.id === id);
    // where one could not be pinned, that is among the problems
    const wanted = own?.image ?? last?.leg.image;
    if (wanted !== undefined) return wanted.identity;
    const runs = seen.observed.find(({ instance }) => instance === id);
    if (runs === undefined) throw new Error(`${id} was not looked at`);
    const { imageReference, imageId } = runs;
    const isDigest = imageId.includes('@');
    return {
      reference: imageReference || imageId,
      ...(isDigest ? { digest: imageId } : { id: imageId }),
    };
  }

  /** By which an upgraded instance is known: one that went back for itself has data of the old version again, and no job of the new one may be at it. */
  private upgradedImageOf({ id }: Instance): ImageKey {
    const last = this.upgrade.lanes.findLast(({ leg }) => leg.instance.id === id);
    return last === undefined ? {} : imageKeyOf(last.leg.image);
  }

  private isUpgraded(id: string): boolean {
    return this.upgrade.lanes.some(({ leg }) => leg.instance.id === id);
  }

  private pointer(moment: Moment, index: number): string {
    const { name } = this.upgrade.application.metadata;
    return pointerOf('applications', name, 'spec', 'hooks', moment, index);
  }
}

interface Named {
  readonly name: string;
}

type ObjectHook = Extract<UpgradeHook, { readonly type: ObjectWork['type'] }>;

/** What a version reads when it starts: it is undone before any old one does. */
function isReadAtStart(hook: UpgradeHook): boolean {
  return hook.type === 'edit' || isPutBack(hook);
}

function undoIdOf(moment: 'before' | 'after', { name }: Named): string {
  return `application/undo-${moment}-${name}`;
}

function backIdOf({ name }: Named): string {
  return `application/on-rollback-${name}`;
}

/** The steps that jobs beside one instance, or edits of its files, are: what they left is removed where they ran. */
function byInstance(jobs: readonly PlacedStep[]): Array<[instance: Instance, steps: string[]]> {
  const groups = Map.groupBy(jobs, ({ instance }) => instance);
  return [...groups].map(([instance, all]) => [instance, all.map(({ id }) => id)]);
}
