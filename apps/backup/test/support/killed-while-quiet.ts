// Takes a snapshot whose reading never ends, in a process of its own that is to be killed. Says `reading` on its standard output.
import 'reflect-metadata';
import { Global, Module } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';
import { DriverRegistry } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { PersistenceModule, type OutboxPublisher } from '#persistence';
import { contextOf } from '../../../../test/support/step-context.js';
import { MIGRATIONS } from '../../src/persistence/migrations.js';
import { FolderStore } from '../../src/repository/folder-store.js';
import { Repository } from '../../src/repository/repository.js';
import { RepositoryModule } from '../../src/repository.module.js';
import { SnapshotService, type SnapshotInput } from '../../src/snapshot.service.js';

const asked = JSON.parse(process.argv[2] ?? '') as {
  readonly database: string;
  readonly root: string;
  readonly endpoint: string;
  readonly upgrade: string;
  readonly application: string;
  readonly input: SnapshotInput;
};

class NoMessages implements OutboxPublisher {
  publish(): Promise<void> {
    return Promise.reject(new Error('nothing is to be sent'));
  }
}
class NoMessagesModule {}
Global()(NoMessagesModule);
Module({ providers: [NoMessages], exports: [NoMessages] })(NoMessagesModule);

const docker = await dockerDriver();
const never = Promise.withResolvers<never>().promise;
docker.data.readMeasured = async () => {
  process.stdout.write('reading\n');
  return never;
};
class Root {}
const app = await NestFactory.createApplicationContext(
  {
    module: Root,
    imports: [
      NoMessagesModule,
      PersistenceModule.forRoot({
        app: 'backup',
        url: asked.database,
        entities: [],
        migrations: MIGRATIONS,
        publisher: NoMessages,
      }),
      RepositoryModule.at(
        new Repository(new FolderStore(asked.root)),
        new DriverRegistry({ docker: async () => docker }),
        {
          quieting: { leaseMs: 6_000, sweepMs: 600_000 },
        },
      ),
    ],
  },
  { logger: ['error'], abortOnError: false },
);
const { upgrade, application } = asked;
await app
  .get(SnapshotService)
  .take(
    contextOf(asked.endpoint, { upgrade, application, signal: new AbortController().signal }),
    asked.input,
  );
