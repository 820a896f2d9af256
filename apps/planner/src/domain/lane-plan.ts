import { assertNever } from '#kernel';
import type { ActionName, Check, CompensationStep, Lane, Plan, Step, WayBack } from '#contracts';
import { checksOf, describeCheck, whileBaking } from './checks-of-version.js';
import { planFiles, type PlannedFiles } from './ephemeral-files.js';
import { forwardStepOf, orderOf, type Forward } from './forward-steps.js';
import { LaneHooks, withVersions, type AddStep } from './lane-hooks.js';
import { clusterWavesOf, isService, labelsText } from './services.js';
import type { LaneSubject } from './lane-subject.js';
import { quietText } from './quiet-text.js';
import { strategyOf } from './strategy.js';
import { imageKeyOf, seenKeyOf, type ImageKey } from './wanted-image.js';
import {
  checkTimeoutSeconds,
  stopTimeoutSeconds,
  type StepInput,
  type StepMaker,
} from './step-maker.js';

/** What has an order among instances on the way back, by the name of its step. */
const WAYS: Readonly<Record<string, WayBack | undefined>> = {
  'stop-new': 'down',
  // of what lies on a share with others'
  restore: 'data',
  'restore-old': 'up',
  'check-old': 'up',
};
/**
 * Of what rolls back without being down: its old version comes before what it depends on goes, since it was seen to get on with the new one of
 * that, and never the other way round.
 */
const ROLLING_WAYS: typeof WAYS = { ...WAYS, 'put-back': 'down', 'restore-old': 'down' };

/**
 * Takes one instance forward, and back: both are planned here, side by side, since each must know the other's steps. What is decided is
 * the subject; the steps follow from it alone, and are spelled out when they are asked for, since a large fleet has a million of them.
 */
export class LanePlanner {
  constructor(
    private readonly maker: StepMaker,
    private readonly hop: string,
    readonly id: string,
    readonly subject: LaneSubject,
    private readonly tier: number | undefined,
  ) {}

  lane(): Lane {
    const { instance, from, to } = this.subject;
    return {
      id: this.id,
      instance: instance.id,
      component: instance.component.name,
      target: instance.target.name,
      from,
      to,
      steps: this.forward(),
    };
  }

  /** Nothing but where the lane begins with what was observed. */
  unchanged(): Step[] {
    const { instance, container, earlier } = this.subject;
    if (earlier !== undefined) return [];
    return [
      this.step(
        `prepare/${instance.target.name}/${instance.component.name}-unchanged`,
        'instance.assert-unchanged',
        `See that ${instance.id} is as planned`,
        {
          ...this.named,
          ...(this.isWorkload
            ? { imageReference: container.imageReference }
            : { imageId: container.imageId }),
          running: container.running,
        },
      ),
    ];
  }

  /** Nothing where the component has no files. */
  files(): PlannedFiles | undefined {
    return planFiles(this.maker, this.id, this.replace, this.subject);
  }

  finalize(): Plan['finalize'] {
    const { instance } = this.subject;
    const removeOld = this.step(
      `finalize/${instance.id}/${this.hopNumber}-remove-old`,
      'instance.remove-old',
      this.isWorkload
        ? `Remove what was kept of the old ${instance.id}`
        : `Remove the old container of ${instance.id}`,
      this.kept,
    );
    return [removeOld, ...this.hooks.finalize(this.hopNumber)].map((step) => ({
      ...step,
      lane: this.id,
    }));
  }

  /** Makes every step, for what is in the way of one. */
  spellOut(): void {
    this.lane();
    this.unchanged();
    this.files();
    this.compensation();
    this.bakeChecks();
    this.finalize();
  }

  private get replace(): string {
    return this.forwardId('replace');
  }

  private get order(): readonly Forward[] {
    return orderOf(this.subject.instance);
  }

  private forwardId(name: Forward): string {
    return forwardStepOf(this.id, this.subject.instance, name);
  }

  private forward(): Step[] {
    const { instance, container } = this.subject;
    const { hooks, order } = this;
    const steps = order.flatMap((name) => [
      ...(name === 'replace' ? hooks.stopped() : []),
      this.forwardStep(name),
    ]);
    steps.unshift(...hooks.before());
    let number = order.length;
    const check = (): void => {
      for (const one of this.checksOf(instance.wanted)) {
        const input = { container: container.container, ...this.newImage, check: one };
        steps.push(
          this.step(
            `${this.id}/${(number += 1)}-check`,
            'instance.check',
            `Check ${instance.id}: ${describeCheck(one, instance.target.driver)}`,
            input,
            checkTimeoutSeconds(one),
          ),
        );
      }
    };
    check();
    for (const clusters of clusterWavesOf(instance).slice(1)) {
      steps.push(this.replaceStep(`${this.id}/${(number += 1)}-replace`, clusters));
      check();
    }
    return [...steps, ...hooks.after()];
  }

  private get hooks(): LaneHooks {
    const { subject, id, oldImage, newImage } = this;
    return new LaneHooks(this.maker, { ...subject, oldImage, newImage }, id);
  }

  private forwardStep(name: Forward): Step {
    const { instance } = this.subject;
    const { component } = instance;
    const id = this.forwardId(name);
    switch (name) {
      case 'snapshot': {
        const { consistency = 'stopped', hooks, engine } = component.data ?? {};
        const told = hooks === undefined ? undefined : withVersions(hooks, this.subject);
        const title = `Snapshot of the data of ${instance.id}${quietText(consistency, told)}`;
        const input = { ...this.data(), consistency, ...(engine === undefined ? {} : { engine }) };
        if (told === undefined) return this.step(id, 'data.snapshot', title, input);
        return this.step(id, 'data.snapshot', title, { ...input, hooks: told });
      }
      case 'stop':
        return this.step(
          id,
          'instance.stop',
          `Stop ${instance.id}`,
          {
            ...this.named,
            // before anything of a workload is changed, it is written down how it was
            ...(this.isWorkload ? { keptName: instance.keptName } : {}),
            ...this.patience,
          },
          stopTimeoutSeconds(component.stopTimeoutSeconds),
        );
      case 'replace':
        return this.replaceStep(id, clusterWavesOf(instance)[0]);
      default:
        return assertNever(name, 'forward step');
    }
  }

  /** @param clusters of a service that goes in waves: those that come now */
  private replaceStep(id: string, clusters: Readonly<Record<string, string>> | undefined): Step {
    const { instance, image, chains = {} } = this.subject;
    const { wanted } = instance;
    const where = clusters === undefined ? '' : ` in clusters with ${labelsText(clusters)}`;
    return this.step(
      id,
      'instance.replace',
      `${this.isRolling ? 'Roll' : 'Start'} ${instance.id} ${this.isRolling ? 'out ' : ''}as ${image.identity.reference}${where}`,
      {
        ...this.named,
        image: image.identity,
        keptName: instance.keptName,
        ...this.rolling,
        ...(chains.forward === undefined ? {} : { chain: chains.forward }),
        ...(clusters === undefined ? {} : { clusters }),
        env: wanted.env,
        ...(wanted.command === undefined ? {} : { command: wanted.command }),
      },
    );
  }

  /** Stop the new → restore, if the new one ever ran → put back what was changed → start the old → verify the old → remove the new. */
  compensation(): CompensationStep[] {
    const { instance } = this.subject;
    const steps: CompensationStep[] = [];
    const add: AddStep = (name, step, when, after, destinationOnly) => {
      const id = `${this.hop}/back/${instance.id}/${steps.length + 1}-${name}`;
      const { tier } = this;
      const isBeside = instance.component.data?.folder !== undefined;
      const ways = this.rollsBack ? ROLLING_WAYS : WAYS;
      const way = name === 'restore' && !isBeside ? undefined : ways[name];
      steps.push({
        ...step(id),
        lanes: [this.id],
        when: [...when],
        after: [...after],
        destinationOnly,
        ...(tier === undefined || way === undefined ? {} : { order: { tier, way } }),
      });
      return id;
    };
    const { hooks, replace, kept } = this;
    const before = hooks.planUndoOfAfter(add);
    before.push(...this.planDown(add, before));
    before.push(...hooks.planUndoBeforeStart(add, before));
    const touched = this.order.flatMap((name) =>
      name === 'snapshot' ? [] : [this.forwardId(name)],
    );
    const old = this.planUp(add, touched, before);
    const hooked = hooks.planOnceBack(add, touched, old);
    // it stays until the old one is seen to be well: what it left behind tells why it failed
    const removeNew = (id: string): Step =>
      this.step(
        id,
        'instance.remove-new',
        this.isWorkload
          ? `Remove what was kept of ${instance.id}`
          : `Remove the new container of ${instance.id}`,
        kept,
      );
    add('remove-new', removeNew, this.isWorkload ? touched : [replace], [...old, ...hooked], false);
    return steps;
  }

  /** The new one is stopped, and the data restored. What rolls, and has no data, is not stopped: the old one takes its place as it goes. */
  private planDown(add: AddStep, after: readonly string[]): string[] {
    const { hooks, replace, kept } = this;
    const { component, id: of } = this.subject.instance;
    const { data } = component;
    const ids: string[] = [];
    if (!this.rollsBack) {
      const stopNew = (id: string): Step =>
        this.step(
          id,
          'instance.stop-new',
          `Stop the new ${of}`,
          { ...kept, ...this.patience },
          stopTimeoutSeconds(component.stopTimeoutSeconds),
        );
      ids.push(add('stop-new', stopNew, [replace], [...after], false));
    }
    if (data !== undefined) {
      const restore = (id: string): Step =>
        this.step(id, 'data.restore', `Bring back the data of ${of}`, this.data());
      const written = [...hooks.writersWhileDown(), replace];
      ids.push(add('restore', restore, written, [...after, ...ids], true));
    }
    return ids;
  }

  /**
   * The old one starts again, and is verified.
   * @param touched forward steps of which one has begun when the instance was touched
   * @returns the steps by which it is back
   */
  private planUp(add: AddStep, touched: readonly string[], after: readonly string[]): string[] {
    const { container, earlier, instance, chains } = this.subject;
    const { component, id: of } = instance;
    const rolls = this.rollsBack;
    const rolling = {
      ...(rolls ? this.rolling : {}),
      ...(chains?.back === undefined ? {} : { chain: chains.back }),
    };
    const isOfK0rdent = isService(instance);
    const start = (this.isWorkload && !isOfK0rdent) || container.running;
    // one that is just being stopped is waited for, and so is k0rdent
    const patience = isOfK0rdent
      ? Math.max(...this.checksOf(this.subject.oldVersion).map(checkTimeoutSeconds))
      : stopTimeoutSeconds(component.stopTimeoutSeconds, 'instance.restore-old');
    const restoreOld = (id: string): Step =>
      this.step(
        id,
        'instance.restore-old',
        rolls ? `Roll the old ${of} out again` : `Start the old ${of} again`,
        { ...this.kept, start, ...rolling },
        patience,
      );
    const before = [...after];
    // where an earlier hop is taken back too, this hop's old one is not started, but has its name again: that hop's is made way for. A workload is
    // one object in all hops, and that hop's record leads back from wherever it is; k0rdent goes back as it came, hop by hop
    const named: string[] = [];
    if (earlier !== undefined && (!this.isWorkload || isOfK0rdent)) {
      const putBack = (id: string): Step =>
        this.step(
          id,
          'instance.restore-old',
          rolls ? `Put the old ${of} back` : `Put the old ${of} back, stopped`,
          { ...this.kept, start: isOfK0rdent ? start : rolls, ...rolling },
          isOfK0rdent ? patience : undefined,
        );
      named.push(add('put-back', putBack, touched, [...before], false));
      before.push(...named);
    }
    const restored = add('restore-old', restoreOld, touched, before, true);
    const checks = container.running ? this.checksOf(this.subject.oldVersion) : [];
    const checked = checks.map((check) =>
      add(
        'check-old',
        (id) => {
          const input = { container: container.container, ...this.oldImage, check };
          return this.step(
            id,
            'instance.check',
            `Check the old ${of}: ${describeCheck(check, instance.target.driver)}`,
            input,
            checkTimeoutSeconds(check),
          );
        },
        touched,
        [restored],
        true,
      ),
    );
    return [...named, restored, ...checked];
  }

  bakeChecks(): Step[] {
    const { instance, container } = this.subject;
    return this.checksOf(instance.wanted).map((declared, index) => {
      const check = whileBaking(declared);
      const input = { container: container.container, ...this.newImage, check };
      const title = `While baking, check ${instance.id}: ${describeCheck(check, instance.target.driver)}`;
      return this.step(
        `bake/${instance.id}/${index + 1}-check`,
        'instance.check',
        title,
        input,
        checkTimeoutSeconds(check),
      );
    });
  }

  private get isWorkload(): boolean {
    return this.subject.instance.target.driver === 'kubernetes';
  }

  private get isRolling(): boolean {
    return strategyOf(this.subject.instance) === 'rolling';
  }

  /** Without a moment in which nothing of it runs: there is no data to bring back. */
  private get rollsBack(): boolean {
    return this.isRolling && this.subject.instance.component.data === undefined;
  }

  private get rolling(): { rolling?: true } {
    return this.isRolling ? { rolling: true } : {};
  }

  private get kept(): StepInput<'instance.remove-new'> {
    return { ...this.named, keptName: this.subject.instance.keptName };
  }

  /** None of what is scaled to zero: it has its new version, and nothing runs that could be looked at. */
  private checksOf(version: LaneSubject['oldVersion']): readonly Check[] {
    const { instance, container } = this.subject;
    return container.replicas === 0
      ? []
      : checksOf(instance.component, version, instance.target.driver);
  }

  private get named(): { container: string; containerId: string } {
    const { container, containerId } = this.subject.container;
    return { container, containerId };
  }

  private get patience(): { stopTimeoutSeconds?: number } {
    const { stopTimeoutSeconds: wanted } = this.subject.instance.component;
    return wanted === undefined ? {} : { stopTimeoutSeconds: wanted };
  }

  private get newImage(): ImageKey {
    return imageKeyOf(this.subject.image);
  }

  private get oldImage(): ImageKey {
    const { earlier, container } = this.subject;
    return earlier === undefined ? seenKeyOf(container) : imageKeyOf(earlier.image);
  }

  /** From `h2`: 2. */
  private get hopNumber(): number {
    return Number(this.hop.slice(1));
  }

  private data(): StepInput<'data.restore'> {
    const { instance } = this.subject;
    const { folder, paths = [], keepAside } = instance.component.data ?? {};
    return {
      ...this.named,
      keptName: instance.keptName,
      ...(folder === undefined ? {} : { folder }),
      paths: [...paths],
      // the same in every upgrade, so that the plan does not depend on it: the backup service puts the upgrade's id before it
      backup: `${this.hop}-${instance.id}`,
      ...(keepAside === undefined ? {} : { keepAside }),
    };
  }

  private step<A extends ActionName>(
    id: string,
    action: A,
    title: string,
    input: StepInput<A>,
    timeoutSeconds?: number,
  ): Step {
    const { instance } = this.subject;
    return this.maker.make(
      action,
      {
        id,
        title,
        target: instance.target,
        component: instance.component.name,
        pointer: instance.releasePointer,
        ...(timeoutSeconds === undefined ? {} : { timeoutSeconds }),
      },
      input,
    );
  }
}
