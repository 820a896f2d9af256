import 'reflect-metadata';
import type { INestApplication } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { connect, type NatsConnection } from '@nats-io/transport-node';
import { waitFor } from '#kernel';
import {
  commandSubject,
  querySubject,
  type CommandData,
  type Observation,
  type QueryData,
  type ReplyEnvelope,
} from '#contracts';
import type { Bus, QueryClient } from '#bus';
import type { FreshNats } from '../../../../test/support/index.js';
import {
  patientQueries,
  publishSurely,
  SceneServers,
  takeMessages,
} from '../../../../test/support/service-scene.js';
import { PlannerModule } from '../../src/planner.module.js';

export async function startPlanner(servers: SceneServers): Promise<INestApplication> {
  const module = PlannerModule.forEnv({
    ...servers.env('planner'),
    LIFTLOCK_INSECURE_REGISTRIES: [],
  });
  return takeMessages(await NestFactory.create(module, { logger: ['error'], abortOnError: false }));
}

export type Answer = CommandData<'plan-computed'>;

/** A planner on real servers, with those around it that it speaks to. */
export interface Scene {
  readonly servers: SceneServers;
  readonly coordinator: Bus;
  /** Asks as the gateway does. */
  readonly gateway: QueryClient;
  readonly notifier: QueryClient;
  readonly executor: ExecutorDouble;
  /** What the coordinator would have been told. */
  readonly answers: Answer[];
  answerTo(upgrade: string, count?: number): Promise<Answer>;
  ask(data: CommandData<'compute-plan'>, id: string): Promise<void>;
  close(): Promise<void>;
}

/** Answers `observe` with the executor's own user, as a test says it; with `undefined` it is away. */
export class ExecutorDouble {
  readonly asked: Array<QueryData<'observe'>> = [];
  private connection: NatsConnection | undefined;

  constructor(
    private readonly nats: FreshNats,
    private readonly answer: (
      question: QueryData<'observe'>,
    ) => Observation | Extract<ReplyEnvelope, { ok: false }>,
  ) {}

  async come(): Promise<void> {
    const { user, pass } = this.nats.user('executor');
    const connection = await connect({
      servers: this.nats.url,
      user,
      pass,
      inboxPrefix: '_INBOX_executor',
    });
    connection.subscribe(querySubject('observe', 'main'), {
      callback: (_error, message) => {
        const question = message.json<QueryData<'observe'>>();
        this.asked.push(question);
        const answer = this.answer(question);
        message.respond(JSON.stringify('ok' in answer ? answer : { ok: true, data: answer }));
      },
    });
    await connection.flush();
    this.connection = connection;
  }

  async leave(): Promise<void> {
    await this.connection?.close();
    this.connection = undefined;
  }
}

export async function openScene(
  observe: ConstructorParameters<typeof ExecutorDouble>[1],
): Promise<Scene> {
  const servers = await SceneServers.open();
  const { nats } = servers;
  const coordinator = await servers.bus('coordinator');
  const gateway = await servers.bus('gateway');
  const notifier = await servers.bus('notifier');
  const executor = new ExecutorDouble(nats, observe);
  await executor.come();
  const admin = await connect({ servers: nats.url, ...nats.admin });
  const answers: Answer[] = [];
  admin.subscribe(commandSubject('plan-computed', 'coordinator'), {
    callback: (_error, message) => {
      answers.push(message.json<{ data: Answer }>().data);
    },
  });
  await admin.flush();
  const of = (upgrade: string): Answer[] => answers.filter((one) => one.upgrade === upgrade);
  return {
    servers,
    coordinator,
    gateway: patientQueries(gateway),
    notifier: patientQueries(notifier),
    executor,
    answers,
    answerTo: async (upgrade, count = 1) => {
      await waitFor(() => of(upgrade).length >= count, {
        what: `answer ${count} to ${upgrade}`,
        deadlineMs: 60_000,
      });
      const answer = of(upgrade)[count - 1];
      if (answer === undefined) throw new Error('no answer');
      return answer;
    },
    ask: async (data, id) => {
      const envelope = {
        id,
        name: 'compute-plan',
        version: 1,
        at: new Date().toISOString(),
        from: 'coordinator',
        data,
      };
      await publishSurely(coordinator, {
        subject: commandSubject('compute-plan', 'planner'),
        id,
        payload: JSON.stringify(envelope),
      });
    },
    close: async () => {
      await executor.leave();
      await admin.close();
      await coordinator.onApplicationShutdown();
      await gateway.onApplicationShutdown();
      await notifier.onApplicationShutdown();
      await servers.close();
    },
  };
}
