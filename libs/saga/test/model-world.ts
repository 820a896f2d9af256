import type { Plan, Step } from '#contracts';
import { PlanIndex } from '#saga';

interface Instance {
  /** Hop whose version runs, or undefined when nothing runs; the kept containers of earlier hops stand still. */
  running: number | undefined;
  /** Which version wrote the data last. */
  data: number;
  /** Snapshots by hop. */
  readonly snapshots: Map<number, number>;
}

/** What truly happened: the effects of the steps on instances, seen from outside the engine. */
export class ModelWorld {
  readonly instances = new Map<string, Instance>();
  readonly held = new Set<string>();
  /** Hooks of the whole application that were done and not undone. */
  readonly hooked = new Set<string>();
  /** Containers that jobs of the whole application left, by step: at work or not. */
  readonly jobs = new Set<string>();
  /** Lanes that changed an object while their instance was down, and have not put it back. */
  readonly changed = new Set<string>();
  readonly violations: string[] = [];
  readonly applied = new Map<string, number>();

  private readonly index: PlanIndex;
  /** Of each instance that has one. */
  private readonly tiers = new Map<string, number>();

  /** Whether the data of all lies on one share. */
  private readonly share: boolean;

  constructor(private readonly plan: Plan) {
    this.share = plan.hops.some(({ compensation }) =>
      compensation.some(({ order }) => order?.way === 'data'),
    );
    this.index = PlanIndex.of(plan);
    for (const hop of plan.hops) {
      for (const wave of hop.waves) {
        for (const lane of wave.lanes)
          this.instances.set(lane.instance, { running: 0, data: 0, snapshots: new Map() });
      }
      for (const { order, lanes } of hop.compensation)
        for (const lane of order === undefined ? [] : lanes)
          this.tiers.set(this.index.lane(lane).lane.instance, order?.tier ?? 0);
    }
  }

  /** Does what the step says; looks before it acts, as drivers do. */
  apply(step: Step): void {
    this.applied.set(step.id, (this.applied.get(step.id) ?? 0) + 1);
    const [scope] = step.id.split('/');
    if (step.action === 'bracket.acquire') this.held.add(step.id.replace('/acquire', ''));
    if (step.action === 'bracket.release') this.held.delete(step.id.replace('/release', ''));
    if (scope === 'app') this.hook(step);
    const placed = this.place(step.id);
    if (placed === undefined || scope === 'prepare' || scope === 'bake') return;
    this.checkHooks(step);
    const { instance, hop, lane } = placed;
    this.checkBracket(step, lane);
    switch (step.action) {
      case 'instance.stop':
        if (instance.running === hop) instance.running = undefined;
        break;
      case 'data.snapshot':
        if (instance.running !== undefined)
          this.violations.push(`${step.id}: snapshot while something runs`);
        if (!instance.snapshots.has(hop)) instance.snapshots.set(hop, instance.data);
        break;
      case 'hook.object':
      case 'hook.object-back':
      case 'hook.job':
        this.hookWhileDown(step, instance, lane);
        break;
      case 'instance.replace':
        if (
          step.input['rolling'] !== true &&
          instance.running !== undefined &&
          instance.running !== hop + 1
        )
          this.violations.push(`${step.id}: two at once`);
        instance.running = hop + 1;
        instance.data = hop + 1;
        break;
      case 'instance.stop-new':
        this.checkOrder(step);
        if (instance.running === hop + 1) instance.running = undefined;
        break;
      case 'data.restore': {
        this.checkOrder(step);
        if (instance.running !== undefined)
          this.violations.push(`${step.id}: restore while something runs`);
        const snapshot = instance.snapshots.get(hop);
        if (snapshot === undefined) this.violations.push(`${step.id}: no snapshot`);
        else instance.data = snapshot;
        break;
      }
      case 'instance.restore-old': {
        this.checkOrder(step);
        const rolls = step.input['rolling'] === true;
        if (!rolls && instance.running !== undefined && instance.running !== hop)
          this.violations.push(`${step.id}: two at once`);
        if (this.changed.has(lane))
          this.violations.push(`${step.id} before what it reads is as it was`);
        // what rolls has no data
        if (rolls) instance.data = hop;
        else if (instance.data !== hop)
          this.violations.push(`${step.id} on data of ${instance.data}`);
        instance.running = hop;
        break;
      }
      case 'instance.check':
        break;
      default:
    }
  }

  /** An object is changed and put back, and a job writes to the data, while nothing of the instance runs. */
  private hookWhileDown({ id, action }: Step, instance: Instance, lane: string): void {
    if (instance.running !== undefined) this.violations.push(`${id} while it runs`);
    if (action === 'hook.object') this.changed.add(lane);
    else if (action === 'hook.object-back') this.changed.delete(lane);
    else instance.data += 0.5;
  }

  /** Where all goes back to the origin: nothing new runs above what goes down, and all below what comes up is old, and runs. */
  private checkOrder({ id }: Step): void {
    const { scope, rollbackTo } = this.plan.policy;
    const { order } = this.index.compensation.get(id)?.step ?? {};
    if (order === undefined || scope !== 'upgrade' || rollbackTo !== 'origin') return;
    for (const [name, { running, data, snapshots }] of this.instances) {
      const tier = this.tiers.get(name) ?? order.tier;
      if (order.way === 'down' && tier > order.tier && (running ?? 0) > 0)
        this.violations.push(`${id} while ${name}, which depends on it, runs`);
      if (order.way === 'up' && tier < order.tier && running !== 0)
        this.violations.push(`${id} before ${name}, on which it depends, is back`);
      if (order.way === 'data' && (running ?? 0) > 0)
        this.violations.push(`${id} while ${name}, whose data lies beside it, runs`);
      if (order.way === 'up' && this.share && snapshots.size > 0 && data !== 0)
        this.violations.push(`${id} before ${name} has its data back`);
    }
  }

  /** Whether a check would pass: the version that should run runs. */
  passes(step: Step): boolean {
    const placed = this.place(step.id);
    if (placed === undefined) return true;
    return placed.instance.running === (step.id.includes('/back/') ? placed.hop : placed.hop + 1);
  }

  private hook({ id, action, input }: Step): void {
    if (action === 'hook.remove-jobs') {
      const { steps } = input;
      if (Array.isArray(steps))
        for (const one of steps) if (typeof one === 'string') this.jobs.delete(one);
      return;
    }
    if (action === 'hook.job') this.jobs.add(id);
    const [, moment, name] = id.split('/');
    if (moment !== 'undo') this.hooked.add(name ?? '');
    else this.hooked.delete(name ?? '');
  }

  /** All that comes before is done while any instance changes, and what comes after is not. */
  private checkHooks({ id }: Step): void {
    // what was kept is removed at the very end
    if (/remove-(old|new)$/.test(id)) return;
    const { before = [], after = [] } = this.plan.applicationHooks ?? {};
    const isDone = (hook: Step): boolean => this.hooked.has(hook.id.split('/')[2] ?? '');
    if (!id.includes('/back/') && !before.every(isDone))
      this.violations.push(`${id} before the application's hooks`);
    if (after.some(isDone)) this.violations.push(`${id} behind the application's hooks`);
    if (
      id.includes('/back/') &&
      ['app/after/publish', 'app/undo/publish'].some((job) => this.jobs.has(job))
    )
      this.violations.push(`${id} beside a job that may be at work on its data`);
  }

  /** A lane's own bracket is held while the new version comes, and never while anything is taken back. */
  private checkBracket(step: Step, lane: string): void {
    const bracket = `${lane}/bracket`;
    if (!this.plan.brackets.some(({ id }) => id === bracket)) return;
    if (step.action === 'instance.replace' && !this.held.has(bracket))
      this.violations.push(`${step.id} without its bracket`);
    if (step.id.includes('/back/') && this.held.has(bracket))
      this.violations.push(`${step.id} while its bracket is held`);
  }

  private place(stepId: string): { instance: Instance; hop: number; lane: string } | undefined {
    for (const [hop, { waves }] of this.plan.hops.entries()) {
      for (const lane of waves.flatMap((wave) => wave.lanes)) {
        if (!stepId.startsWith(`${lane.id}/`)) continue;
        const instance = this.instances.get(lane.instance);
        if (instance !== undefined) return { instance, hop, lane: lane.id };
      }
    }
    return undefined;
  }
}
