import 'reflect-metadata';
import { Global, Module, type INestApplication, type Type } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { LiftlockError, systemIds, waitFor, type ErrorShape } from '#kernel';
import {
  commandSubject,
  type App,
  type CommandData,
  type CommandEnvelope,
  type QueryData,
  type QueryReply,
} from '#contracts';
import {
  Bus,
  BusModule,
  CommandHandlerFor,
  commandHandlers,
  CommandServer,
  QueryHandlerFor,
  queryHandlers,
  QueryServer,
  type BusOptions,
  type CommandHandler,
  type QueryHandler,
} from '#bus';
import type { FreshNats } from '../../../test/support/index.js';

/** What the handlers below do, as a test says it. */
export class Script {
  readonly seen: Array<{ id: string; data: CommandData<'compute-plan'> }> = [];
  computePlan: (data: CommandData<'compute-plan'>, envelope: CommandEnvelope) => Promise<void> =
    () => Promise.resolve();
  getPlan: (data: QueryData<'get-plan'>) => Promise<QueryReply<'get-plan'>> = () =>
    Promise.resolve({ text: '{}', total: 2 });
}

export class Letters {
  readonly kept: Array<{
    messageId: string;
    subject: string;
    error: ErrorShape;
    deliveries: number;
  }> = [];
  /** Thrown away for so many times yet. */
  failures = 0;

  record(letter: {
    messageId: string;
    subject: string;
    error: ErrorShape;
    deliveries: number;
  }): Promise<void> {
    if (this.failures > 0) {
      this.failures -= 1;
      return Promise.reject(new Error('the database is away'));
    }
    this.kept.push(letter);
    return Promise.resolve();
  }
}

@CommandHandlerFor('compute-plan')
export class ComputePlanHandler implements CommandHandler<'compute-plan'> {
  constructor(private readonly script: Script) {}

  async handle(data: CommandData<'compute-plan'>, envelope: CommandEnvelope): Promise<void> {
    this.script.seen.push({ id: envelope.id, data });
    await this.script.computePlan(data, envelope);
  }
}

@QueryHandlerFor('get-plan')
class GetPlanHandler implements QueryHandler<'get-plan'> {
  constructor(private readonly script: Script) {}

  handle(data: QueryData<'get-plan'>): Promise<QueryReply<'get-plan'>> {
    return this.script.getPlan(data);
  }
}

@QueryHandlerFor('preview-plan')
class PreviewPlanHandler implements QueryHandler<'preview-plan'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('put-document')
class PutDocumentHandler implements QueryHandler<'put-document'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('get-document')
class GetDocumentHandler implements QueryHandler<'get-document'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('list-documents')
class ListDocumentsHandler implements QueryHandler<'list-documents'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('delete-document')
class DeleteDocumentHandler implements QueryHandler<'delete-document'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('document-history')
class DocumentHistoryHandler implements QueryHandler<'document-history'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('upgrade-paths')
class UpgradePathsHandler implements QueryHandler<'upgrade-paths'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('environment-webhooks')
class EnvironmentWebhooksHandler implements QueryHandler<'environment-webhooks'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('environment-freezes')
class EnvironmentFreezesHandler implements QueryHandler<'environment-freezes'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('used-images')
class UsedImagesHandler implements QueryHandler<'used-images'> {
  handle(): Promise<never> {
    return absent();
  }
}

@QueryHandlerFor('instances-with-data')
class InstancesWithDataHandler implements QueryHandler<'instances-with-data'> {
  handle(): Promise<never> {
    return absent();
  }
}

function absent(): Promise<never> {
  return Promise.reject(new LiftlockError('not_found', 'not in this test'));
}

export const allControllers: Type[] = [
  ...commandHandlers<'planner'>({ 'compute-plan': ComputePlanHandler }),
  ...queryHandlers<'planner'>({
    'get-plan': GetPlanHandler,
    'preview-plan': PreviewPlanHandler,
    'delete-document': DeleteDocumentHandler,
    'document-history': DocumentHistoryHandler,
    'upgrade-paths': UpgradePathsHandler,
    'put-document': PutDocumentHandler,
    'get-document': GetDocumentHandler,
    'list-documents': ListDocumentsHandler,
    'environment-webhooks': EnvironmentWebhooksHandler,
    'environment-freezes': EnvironmentFreezesHandler,
    'used-images': UsedImagesHandler,
    'instances-with-data': InstancesWithDataHandler,
  }),
];

export function busOptions(nats: FreshNats, app: App): BusOptions {
  const { user, pass } = nats.user(app);
  return { app, site: 'main', url: nats.url, user, password: pass };
}

export interface PlannerUnderTest {
  readonly app: INestApplication;
  readonly script: Script;
  readonly letters: Letters;
  close(): Promise<void>;
}

/**
 * A service with the planner's name and user, whose handlers do what the test says.
 * @param options.ackWaitSeconds default: the product's.
 */
export async function startPlanner(
  nats: FreshNats,
  options: { readonly controllers?: readonly Type[]; readonly ackWaitSeconds?: number } = {},
): Promise<PlannerUnderTest> {
  const { controllers = allControllers, ...more } = options;
  const script = new Script();
  const letters = new Letters();

  @Global()
  @Module({
    providers: [
      { provide: Script, useValue: script },
      { provide: Letters, useValue: letters },
    ],
    exports: [Script, Letters],
  })
  class TestDoubles {}

  @Module({
    imports: [
      TestDoubles,
      BusModule.forRoot({ ...busOptions(nats, 'planner'), ...more, deadLetters: Letters }),
    ],
    controllers: [...controllers],
  })
  class PlannerModule {}

  const app = await NestFactory.create(PlannerModule, {
    logger: ['error', 'warn'],
    abortOnError: false,
  });
  try {
    app.connectMicroservice({ strategy: app.get(CommandServer) }, { inheritAppConfig: false });
    app.connectMicroservice({ strategy: app.get(QueryServer) }, { inheritAppConfig: false });
    await app.init();
    await app.startAllMicroservices();
  } catch (error) {
    await app.close();
    throw error;
  }
  return { app, script, letters, close: () => app.close() };
}

export function newComputePlan(): CommandData<'compute-plan'> {
  return {
    upgrade: systemIds.next('upg'),
    request: { environment: 'test', application: 'shop', release: 'shop-2', policy: {} },
  };
}

/** Sends it as the outbox would. */
export async function sendComputePlan(
  coordinator: Bus,
  data: unknown = newComputePlan(),
  id: string = systemIds.next('msg'),
): Promise<string> {
  const envelope = {
    id,
    name: 'compute-plan',
    version: 1,
    at: new Date().toISOString(),
    from: 'coordinator',
    data,
  };
  await coordinator.publish({
    subject: commandSubject('compute-plan', 'planner'),
    id,
    payload: JSON.stringify(envelope),
  });
  return id;
}

/** As the relay does: the same id until the broker has taken it. */
export async function sendSurely(
  coordinator: Bus,
  data: unknown = newComputePlan(),
  id: string = systemIds.next('msg'),
): Promise<string> {
  return waitFor(() => sendComputePlan(coordinator, data, id), {
    what: 'the broker to take it',
    deadlineMs: 60_000,
  });
}
