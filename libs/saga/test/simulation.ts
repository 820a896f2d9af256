import { canonicalJson } from '#kernel';
import { EVENT_DATA, isFinal, type Plan, type StepResult } from '#contracts';
import {
  advance,
  inFlight,
  newSaga,
  PlanIndex,
  type Advance,
  type Saga,
  type SagaEvent,
  type SagaMessage,
} from '#saga';
import { approveBy } from './plan-builder.js';
import { ModelWorld } from './model-world.js';

/** Draws numbers from 0 to below n. */
export type Draw = (n: number) => number;

export interface Odds {
  /** Of 100 attempts, how many fail, die, or fall silent; of 100 revocations, how many get no answer. */
  readonly fail: number;
  readonly lost: number;
  readonly silent: number;
  /** Of 100 turns, how many bring a decision of a person. */
  readonly decision: number;
  /** Of 100 turns, in how many the maintenance window opens or closes. */
  readonly window: number;
  /** Of 100 messages, how many come twice. */
  readonly twice: number;
}

interface Attempt {
  readonly stepId: string;
  readonly token: number;
  /** A revocation, rather than a run. */
  readonly revoke: boolean;
}

const MAX_TURNS = 6_000;

/** An upgrade whose services, clocks and people do as the drawn numbers say; the saga is written out and read back after every turn. */
export class Simulation {
  readonly world: ModelWorld;
  saga: Saga = newSaga();
  readonly defects: string[] = [];
  private readonly index: PlanIndex;
  private readonly attempts: Attempt[] = [];
  private readonly inbox: SagaMessage[] = [];
  private readonly timers: SagaMessage[] = [];
  /** What the services know: the greatest token of each step, and whether an attempt of it had an effect. */
  private readonly fences = new Map<string, number>();
  private readonly touched = new Set<string>();
  private readonly lostOnce = new Set<string>();
  private locks = false;

  constructor(
    private readonly plan: Plan,
    private readonly draw: Draw,
    private odds: Odds,
  ) {
    this.world = new ModelWorld(plan);
    this.index = PlanIndex.of(plan);
    this.inbox.push({ type: 'planned' });
  }

  /** Goes on until a final state, or until nothing moves without a person. */
  run(): void {
    for (let turn = 0; turn < MAX_TURNS; turn += 1) {
      if (isFinal(this.saga.state)) return;
      if (this.chance(this.odds.decision)) this.tell(this.decision());
      if (this.chance(this.odds.window)) this.tell(this.window());
      if (!this.turn()) {
        if (isFinal(this.saga.state) || this.saga.state === 'needs_attention') return;
        if (this.saga.pausedBy === 'window') this.tell({ type: 'window-opened' });
        else if (this.saga.state === 'paused') this.tell({ type: 'resume', actor: 'p' });
        else if (this.saga.state === 'awaiting_approval') this.tell(this.approval());
        else {
          this.defects.push(`stuck in ${this.saga.state}: ${JSON.stringify(this.saga)}`);
          return;
        }
      }
    }
    this.defects.push(`no end after ${MAX_TURNS} turns in ${this.saga.state}`);
  }

  /** From here on everything works, and a person answers what is asked. */
  heal(): void {
    this.odds = { fail: 0, lost: 0, silent: 0, decision: 0, window: 0, twice: 0 };
    for (let round = 0; round < 50 && this.saga.state === 'needs_attention'; round += 1) {
      const [step] = this.saga.attention;
      const bare = step !== undefined && !this.index.step(step).step.observable;
      this.tell(
        bare
          ? {
              type: 'resolve',
              actor: 'p',
              reason: 'looked',
              outcome: this.touched.has(step) ? 'succeeded' : 'failed',
              step,
            }
          : { type: 'retry', actor: 'p' },
      );
      this.run();
    }
  }

  tell(message: SagaMessage): Advance {
    const before = JSON.stringify(this.saga);
    const result = advance(this.saga, message, this.plan);
    if (JSON.stringify(this.saga) !== before)
      this.defects.push(`${message.type} changed the saga that it was given`);
    if (
      isFinal(this.saga.state) &&
      (result.events.length > 0 ||
        result.commands.length > 0 ||
        JSON.stringify(result.saga) !== before)
    ) {
      this.defects.push(`final ${this.saga.state} was moved by ${message.type}`);
    }
    this.assertTokensGrow(this.saga, result.saga);
    this.assertWithinWindow(this.saga, result.saga);
    for (const event of result.events) this.assertAsAnnounced(event);
    // as after a restart: only what can be written is known
    this.saga = JSON.parse(JSON.stringify(result.saga)) as Saga;
    for (const command of result.commands) {
      switch (command.type) {
        case 'admit':
          this.locks = true;
          this.inbox.push({ type: 'admitted' });
          break;
        case 'release-locks':
          this.locks = false;
          break;
        case 'set-timer':
          this.timers.push(command.message);
          break;
        case 'run-step':
          this.assertMayRun(command.stepId);
          this.attempts.push({ stepId: command.stepId, token: command.token, revoke: false });
          break;
        case 'revoke-step':
          this.attempts.push({ stepId: command.stepId, token: command.token, revoke: true });
          break;
        default:
      }
    }
    return result;
  }

  holdsLocks(): boolean {
    return this.locks;
  }

  /** Steps with an attempt that has not answered. */
  underWay(): string[] {
    return Object.entries(this.saga.steps)
      .filter(([, progress]) => inFlight(progress))
      .map(([id]) => id);
  }

  private turn(): boolean {
    const choices = [this.attempts.length > 0, this.inbox.length > 0, this.timers.length > 0];
    // timers are slow: they come when nothing else does, and now and then before
    const kinds = [0, 1].filter((kind) => choices[kind]);
    if (choices[2] === true && (kinds.length === 0 || this.chance(5))) kinds.push(2);
    const kind = kinds[this.draw(Math.max(kinds.length, 1))];
    if (kind === undefined) return false;
    if (kind === 0) this.serve(this.take(this.attempts));
    else this.tell(this.take(kind === 1 ? this.inbox : this.timers));
    return true;
  }

  private serve(attempt: Attempt | undefined): void {
    if (attempt === undefined) return;
    const { stepId, token } = attempt;
    if (token <= (this.fences.get(stepId) ?? 0)) return;
    this.fences.set(stepId, token);
    if (attempt.revoke) {
      if (this.chance(this.odds.silent)) return;
      // as the services say it: one whose process died may have begun
      const began = this.touched.has(stepId) || this.lostOnce.has(stepId);
      this.answer(stepId, token, { outcome: 'revoked', began });
      return;
    }
    const { step } = this.index.step(stepId);
    if (!step.observable && this.lostOnce.has(stepId))
      this.defects.push(`${stepId} was dispatched again though it cannot be seen`);
    const fate = this.draw(100);
    const error = {
      code: this.draw(2) === 0 ? ('internal' as const) : ('target_refused' as const),
      message: 'drawn',
      retryable: this.draw(2) === 0,
    };
    if (fate < this.odds.silent) {
      if (this.draw(2) === 0) this.effect(stepId);
      return;
    }
    if (fate < this.odds.silent + this.odds.lost) {
      if (this.draw(2) === 0) this.effect(stepId);
      this.lostOnce.add(stepId);
      this.answer(stepId, token, { outcome: 'lost', error: { ...error, code: 'lost' } });
      return;
    }
    if (fate < this.odds.silent + this.odds.lost + this.odds.fail) {
      const possible = this.draw(2) === 0;
      if (possible && this.draw(2) === 0) this.effect(stepId);
      const effect = possible || this.touched.has(stepId) ? 'possible' : 'none';
      this.answer(stepId, token, { outcome: 'failed', error, effect });
      return;
    }
    this.effect(stepId);
    this.answer(stepId, token, { outcome: 'succeeded', output: {} });
  }

  private effect(stepId: string): void {
    this.touched.add(stepId);
    this.world.apply(this.index.step(stepId).step);
  }

  private answer(stepId: string, token: number, result: StepResult): void {
    const message: SagaMessage = { type: 'step-finished', stepId, token, result };
    this.inbox.push({ type: 'step-started', stepId, token, owner: 'o' }, message);
    if (this.chance(this.odds.twice)) this.inbox.push(message);
  }

  private decision(): SagaMessage {
    const types = ['cancel', 'pause', 'resume', 'rollback', 'approve', 'pause', 'resume'] as const;
    const type = types[this.draw(types.length)] ?? 'pause';
    return type === 'approve' ? this.approval() : { type, actor: 'p' };
  }

  private window(): SagaMessage {
    return this.draw(2) === 0
      ? { type: 'window-opened' }
      : { type: 'window-closed', until: '2026-11-28T21:00:00.000Z', message: 'closed' };
  }

  /** Of one of a few people, who may have approved before, have asked for it, or not have the role. */
  private approval(): SagaMessage {
    const who = this.draw(6);
    const role = (['approver', 'approver', 'approver', 'operator', 'admin', 'viewer'] as const)[
      who
    ];
    return approveBy(`person-${who}`, { role: role ?? 'approver', byRequester: who === 0 });
  }

  /** Subscribers were told what an event says: all of that, and nothing else. */
  private assertAsAnnounced({ type, data }: SagaEvent): void {
    const written: unknown = JSON.parse(JSON.stringify(data));
    const parsed = EVENT_DATA[type].safeParse(written);
    if (!parsed.success || canonicalJson(parsed.data) !== canonicalJson(written))
      this.defects.push(`${type} is not as EVENT_DATA says: ${JSON.stringify(written)}`);
  }

  /** No wave begins while the window is closed. */
  private assertWithinWindow(before: Saga, after: Saga): void {
    if (after.closed === undefined) return;
    const [first] = this.plan.applicationHooks?.before ?? [];
    const began = ({ steps }: Saga): boolean => steps[first?.id ?? ''] !== undefined;
    if (first !== undefined && !began(before) && began(after))
      this.defects.push(`${first.id} began while the window was closed`);
    for (const wave of this.plan.hops.flatMap((hop) => hop.waves)) {
      const begun = ({ lanes }: Saga): boolean =>
        wave.lanes.some(({ id }) => !['pending', 'left_out'].includes(lanes[id] ?? 'pending'));
      if (!begun(before) && begun(after))
        this.defects.push(`${wave.id} began while the window was closed`);
    }
  }

  private assertTokensGrow(before: Saga, after: Saga): void {
    for (const [id, progress] of Object.entries(before.steps)) {
      if ((after.steps[id]?.token ?? 0) < progress.token)
        this.defects.push(`the token of ${id} shrank`);
    }
  }

  /** No lane of a wave is begun while one before it is not settled. */
  private assertMayRun(stepId: string): void {
    const lane = this.index.step(stepId).lane;
    if (stepId.startsWith('app/')) this.assertHookMayRun(stepId);
    if (lane === undefined || this.index.step(stepId).direction !== 'forward') return;
    if (!this.locks) this.defects.push(`${stepId} ran without locks`);
    const waves = this.plan.hops.flatMap((hop) => hop.waves);
    const own = waves.findIndex((wave) => wave.lanes.some((other) => other.id === lane));
    for (const wave of waves.slice(0, own)) {
      for (const other of wave.lanes) {
        const status = this.saga.lanes[other.id];
        if (status === 'forward' || status === 'back' || status === undefined) {
          this.defects.push(`${stepId} ran while ${other.id} was ${status ?? 'pending'}`);
        }
      }
    }
    const ownWave = waves[own];
    const busy =
      ownWave?.lanes.filter((other) => this.saga.lanes[other.id] === 'forward').length ?? 0;
    if (ownWave !== undefined && busy > ownWave.parallelism)
      this.defects.push(`${ownWave.id} runs ${busy} lanes at once`);
  }

  /** What comes before is done before any lane begins; the rest when none is under way. */
  private assertHookMayRun(stepId: string): void {
    const statuses = [...this.index.lanes.keys()].map((id) => this.saga.lanes[id] ?? 'pending');
    const isBefore = stepId.startsWith('app/before/');
    const wrong = isBefore ? /^(?!pending)/ : /^forward$/;
    if (statuses.some((status) => wrong.test(status)))
      this.defects.push(`${stepId} ran while lanes were ${statuses.join(', ')}`);
    if (/^app\/(undo\/(tell|drain)|on-rollback)/.test(stepId) && statuses.includes('back'))
      this.defects.push(`${stepId} ran while lanes went back`);
  }

  private chance(percent: number): boolean {
    return percent > 0 && this.draw(100) < percent;
  }

  private take<T>(from: T[]): T {
    const [item] = from.splice(this.draw(from.length), 1);
    if (item === undefined) throw new Error('nothing to take');
    return item;
  }
}
