import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { Test } from '@nestjs/testing';
import type { Subscription } from '@nats-io/transport-node';
import { canonicalJson, digestOf, systemIds, waitFor, type Clock } from '#kernel';
import {
  commandSubject,
  QUERIES,
  querySubject,
  type CommandData,
  type Freeze,
  type HistoryEvent,
  type Plan,
  type QueryReply,
  type Role,
  type StepResult,
  type UpgradeAction,
  type UpgradeRequest,
  type UpgradeState,
  type UpgradeView,
} from '#contracts';
import type { Bus, QueryClient } from '#bus';
import {
  patientQueries,
  publishSurely,
  SceneServers,
  takeMessages,
} from '../../../../test/support/service-scene.js';
import { withClient } from '#fleet';
import { CoordinatorModule } from '../../src/coordinator.module.js';
import { CLOCK } from '../../src/tokens.js';

const DEADLINE_MS = 60_000;

/** A clock that stands still until it is set. */
export class SetClock implements Clock {
  constructor(private at: string) {}
  now(): Date {
    return new Date(this.at);
  }
  set(at: string): void {
    this.at = at;
  }
}

/** For tests: coordinators on real servers, asked as the gateway asks; plans and results are what the test says. */
export class CoordinatorScene {
  private readonly plans = new Map<string, string>();
  private readonly freezes = new Map<string, readonly Freeze[]>();
  private readonly silences = new Set<string>();
  private readonly queries: QueryClient;
  private answersFreezes: Subscription | undefined;
  private replicas: INestApplication[] = [];

  private constructor(
    readonly clock: SetClock,
    private readonly servers: SceneServers,
    private readonly gateway: Bus,
    private readonly planner: Bus,
    private readonly executor: Bus,
  ) {
    this.queries = patientQueries(gateway);
  }

  /** In the coordinator's own schema. */
  async sql<R extends object>(text: string, parameters: readonly unknown[] = []): Promise<R[]> {
    const url = this.servers.database.url('coordinator');
    const { rows } = await withClient(url, (client) => client.query<R>(text, [...parameters]));
    return rows;
  }

  static async open(clock: SetClock, replicas = 1): Promise<CoordinatorScene> {
    const servers = await SceneServers.open();
    const gateway = await servers.bus('gateway');
    const planner = await servers.bus('planner');
    const executor = await servers.bus('executor');
    const scene = new CoordinatorScene(clock, servers, gateway, planner, executor);
    planner.nats.subscribe(querySubject('get-plan'), {
      callback: (_error, message) => {
        const { digest } = QUERIES['get-plan'].data.parse(message.json());
        const text = scene.plans.get(digest) ?? '';
        message.respond(JSON.stringify({ ok: true, data: { text, total: text.length } }));
      },
    });
    await scene.answerFreezes();
    await scene.start(replicas);
    return scene;
  }

  /** What an environment's document has of freezes from here on, as the planner tells it. */
  freeze(environment: string, ...freezes: readonly Freeze[]): void {
    this.freezes.set(environment, freezes);
  }

  /** Does something while nobody says whether an environment is frozen. Plans are told all the same. */
  async withoutPlanner<T>(work: () => Promise<T>): Promise<T> {
    this.answersFreezes?.unsubscribe();
    await this.planner.nats.flush();
    try {
      return await work();
    } finally {
      await this.answerFreezes();
    }
  }

  /** The next question about an environment's freezes is heard and never answered, as where the answer is lost. */
  loseAnswerAboutFreezes(environment: string): void {
    this.silences.add(environment);
  }

  private async answerFreezes(): Promise<void> {
    this.answersFreezes = this.planner.nats.subscribe(querySubject('environment-freezes'), {
      callback: (_error, message) => {
        const { environment } = QUERIES['environment-freezes'].data.parse(message.json());
        if (this.silences.delete(environment)) return;
        const freezes = this.freezes.get(environment) ?? [];
        message.respond(JSON.stringify({ ok: true, data: { freezes } }));
      },
    });
    await this.planner.nats.flush();
  }

  async start(replicas: number): Promise<void> {
    for (let n = 0; n < replicas; n += 1) this.replicas.push(await this.replica());
  }

  /** All of them: what is known afterwards is what PostgreSQL knows. */
  async stop(): Promise<void> {
    await Promise.all(this.replicas.map((app) => app.close()));
    this.replicas = [];
  }

  async close(): Promise<void> {
    await this.stop();
    for (const bus of [this.gateway, this.planner, this.executor])
      await bus.onApplicationShutdown();
    await this.servers.close();
  }

  /** An upgrade whose plan is this one. */
  async begin(
    plan: Plan,
    actor = 'ann',
    request: Partial<UpgradeRequest> = {},
  ): Promise<UpgradeView> {
    const { environment, application, release } = plan;
    const { upgrade } = await this.queries.ask('create-upgrade', {
      actor,
      request: { environment, application, release, ...request },
    });
    const digest = this.know(plan);
    const data: CommandData<'plan-computed'> = {
      upgrade: upgrade.id,
      result: { outcome: 'planned', digest },
    };
    await this.send(this.planner, 'plan-computed', data);
    return this.until(upgrade.id, (view) => view.state !== 'planning');
  }

  private know(plan: Plan): string {
    const digest = digestOf(plan);
    this.plans.set(digest, canonicalJson(plan));
    return digest;
  }

  async act(
    id: string,
    action: UpgradeAction,
    actor: string,
    role: Role,
    request: object = {},
  ): Promise<UpgradeView> {
    return this.queries.ask('act-on-upgrade', {
      ...{ id, action, actor, role, request },
    });
  }

  /** What a person who looks at the plan is told of its promotion. */
  async promotion(plan: Plan): Promise<QueryReply<'estimate-plan'>['promotion']> {
    const digest = this.know(plan);
    return (await this.queries.ask('estimate-plan', { digest })).promotion;
  }

  get(id: string): Promise<UpgradeView> {
    return this.queries.ask('get-upgrade', { id });
  }

  async events(id: string): Promise<HistoryEvent[]> {
    const { items } = await this.queries.ask('list-events', { id, limit: 500 });
    return items;
  }

  until(id: string, is: UpgradeState | ((view: UpgradeView) => boolean)): Promise<UpgradeView> {
    const holds = typeof is === 'string' ? (view: UpgradeView) => view.state === is : is;
    return waitFor(
      async () => {
        const view = await this.get(id);
        return holds(view) ? view : undefined;
      },
      {
        what: `${id} to be ${typeof is === 'string' ? is : 'as awaited'}`,
        deadlineMs: DEADLINE_MS,
      },
    );
  }

  /** The executor's answer to a step's first attempt, once that has been dispatched. */
  async finish(
    upgrade: string,
    stepId: string,
    result: StepResult = { outcome: 'succeeded', output: {} },
  ): Promise<void> {
    await waitFor(
      async () =>
        (await this.events(upgrade)).some(
          ({ type, data }) => type === 'step-dispatched' && data.step === stepId,
        ),
      { what: `${stepId} to be dispatched`, deadlineMs: DEADLINE_MS },
    );
    const endedAt = this.clock.now().toISOString();
    await this.send(this.executor, 'step-finished', {
      ...{ upgrade, stepId, token: 1, attempt: 1, result, endedAt },
    });
  }

  private async send<N extends 'plan-computed' | 'step-finished'>(
    bus: Bus,
    name: N,
    data: CommandData<N>,
  ): Promise<void> {
    const id = systemIds.next('msg');
    const { app } = bus.options;
    const at = this.clock.now().toISOString();
    const payload = JSON.stringify({ id, name, version: 1, at, from: app, data });
    await publishSurely(bus, { subject: commandSubject(name, 'coordinator'), id, payload });
  }

  private async replica(): Promise<INestApplication> {
    const module = await Test.createTestingModule({
      imports: [
        CoordinatorModule.forEnv({
          ...this.servers.env('coordinator'),
          LIFTLOCK_SWEEP_MS: 600_000,
        }),
      ],
    })
      .overrideProvider(CLOCK)
      .useValue(this.clock)
      .compile();
    return takeMessages(module.createNestApplication({ logger: false }));
  }
}
