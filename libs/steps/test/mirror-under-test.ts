import 'reflect-metadata';
import {
  Global,
  Module,
  type INestApplicationContext,
  type OnApplicationShutdown,
} from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DataSource } from 'typeorm';
import { Bus } from '#bus';
import type { CommandData } from '#contracts';
import type { StepContext } from '#drivers/core';
import { PersistenceModule, type OutboxPublisher } from '#persistence';
import { RevokeStepHandler, RunStepHandler } from '../src/handlers.js';
import { StepsModule, StepsTables1700000000500 } from '../src/index.js';
import { Runner } from '../src/runner.js';
import { StepSweeper } from '../src/sweeper.js';

/** What the processes have brought out, whoever did it, in the order in which the coordinator would get it. */
export class Sent implements OutboxPublisher {
  private readonly ids = new Set<string>();
  readonly messages: Array<{ readonly id: string; readonly name: string; readonly data: unknown }> =
    [];

  publish({ id, payload }: Parameters<OutboxPublisher['publish']>[0]): Promise<void> {
    // a relay that is slow to note what it sent sends it again under the same id, which a broker drops
    if (!this.ids.has(id)) this.messages.push(JSON.parse(payload) as Sent['messages'][number]);
    this.ids.add(id);
    return Promise.resolve();
  }
}

/** One process's connection to the broker: nothing leaves any more when it is closed. */
class Connection implements OutboxPublisher, OnApplicationShutdown {
  private closed = false;

  constructor(private readonly sent: Sent) {}

  async publish(message: Parameters<OutboxPublisher['publish']>[0]): Promise<void> {
    // as far away as a broker is at least
    await new Promise((resolve) => setImmediate(resolve));
    if (this.closed) throw new Error('the connection is closed');
    await this.sent.publish(message);
  }

  onApplicationShutdown(): void {
    this.closed = true;
  }
}

export type Finished = CommandData<'step-finished'>;
export type RunStep = CommandData<'run-step'>;
/** What the step does in a test. */
export type Action = (context: StepContext) => Promise<void>;

/** A process of a step service: all but its connection to the broker, where the test does not give one. */
export interface Mirror {
  readonly owner: string;
  readonly source: DataSource;
  get<T>(token: abstract new (...needed: never[]) => T): T;
  run(command: RunStep): Promise<void>;
  revoke(command: RunStep): Promise<void>;
  sweep(): Promise<void>;
  close(): Promise<void>;
}

export interface MirrorOptions {
  /** Default: longer than any test. */
  readonly leaseMs?: number;
  /** Default: only when the test calls `sweep`. */
  readonly sweepMs?: number;
  readonly heartbeatMs?: number;
  /** Default: longer than any test, so that what a test holds is not given up while the machine is slow. */
  readonly deafMs?: number;
  readonly leaveMs?: number;
  /** What its progress is told over; closed with the process. Default: nobody is told. */
  readonly bus?: Bus;
}

export async function startMirror(
  url: string,
  sent: Sent,
  action: Action,
  {
    leaseMs = 600_000,
    sweepMs = 600_000,
    deafMs = 600_000,
    heartbeatMs,
    leaveMs,
    bus,
  }: MirrorOptions = {},
): Promise<Mirror> {
  const connection = new Connection(sent);

  @Global()
  @Module({
    providers: [
      { provide: Connection, useValue: connection },
      ...(bus === undefined ? [] : [{ provide: Bus, useValue: bus }]),
    ],
    exports: [Connection, ...(bus === undefined ? [] : [Bus])],
  })
  class BrokerModule {}

  // in the order of the services' own modules, since they are shut down in that order
  @Module({
    imports: [
      PersistenceModule.forRoot({
        app: 'mirror',
        url,
        entities: [],
        migrations: [StepsTables1700000000500],
        publisher: Connection,
      }),
      BrokerModule,
      StepsModule.forApp({
        app: 'mirror',
        leaseMs,
        sweepMs,
        heartbeatMs,
        deafMs,
        leaveMs,
        concurrency: 32,
        handlers: {
          useFactory: () => ({
            'image.mirror': () => Promise.reject(new Error('nothing is mirrored here')),
            'image.prepare': async (context) => {
              await action(context);
              return { imageId: 'sha256:1', found: 'done_now' as const };
            },
          }),
        },
      }),
    ],
  })
  class MirrorUnderTest {}

  const app: INestApplicationContext = await NestFactory.createApplicationContext(MirrorUnderTest, {
    logger: ['error'],
    abortOnError: false,
  });
  const get = <T>(token: abstract new (...needed: never[]) => T): T =>
    app.get(token as never, { strict: false });
  let closing: Promise<void> | undefined;
  return {
    get,
    owner: get(Runner).owner,
    source: get(DataSource),
    run: (command) => get(RunStepHandler).handle(command),
    revoke: ({ upgrade, stepId, token, attempt, step }) =>
      get(RevokeStepHandler).handle({ upgrade, stepId, token, attempt, step }),
    sweep: () => get(StepSweeper).sweep(),
    close: () => (closing ??= app.close()),
  };
}

/** A step as the coordinator sends it. */
export function runStep(upgrade: string, token: number, timeoutSeconds = 3_600): RunStep {
  const stepId = 'hop-1/wave-1/web@a/prepare';
  return {
    upgrade,
    stepId,
    token,
    attempt: token,
    environment: 'prod',
    application: 'shop',
    planDigest: `sha256:${'1'.repeat(64)}`,
    direction: 'forward',
    step: {
      id: stepId,
      title: 'Prepare the image',
      phase: 'mirror',
      action: 'image.prepare',
      app: 'mirror',
      target: { name: 'a', driver: 'model', site: 'main', endpoint: '/nowhere' },
      input: { image: { reference: 'web:2.0', id: `sha256:${'2'.repeat(64)}` } },
      undo: 'none_needed',
      timeoutSeconds,
      retry: { maxAttempts: 3, backoffSeconds: 1, maxBackoffSeconds: 10 },
      observable: true,
      repeatable: false,
    },
  };
}
