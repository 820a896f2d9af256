// Takes a snapshot whose reading never ends, in a process of its own that is to be killed. Says `reading` on its standard output when it stands still.
import 'reflect-metadata';
import { Readable } from 'node:stream';
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
import { SnapshotService } from '../../src/snapshot.service.js';
import type { Asked } from './kill-while-taking.js';
import { s3StoreOn } from './s3-store-on.js';

const asked = JSON.parse(process.argv[2] ?? '') as Asked;

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
const { stallsAfter } = asked;
const readMeasured = docker.data.readMeasured?.bind(docker.data);
if (readMeasured === undefined) throw new Error('the driver reads in several goes');
docker.data.readMeasured = async (context, source, makeRoom) => {
  if (stallsAfter === undefined) return stalls();
  const read = await readMeasured(context, source, makeRoom);
  const archive = Readable.from(upTo(stallsAfter, read.archive), { objectMode: false });
  return { ...read, archive };
};

function stalls(): Promise<never> {
  process.stdout.write('reading\n');
  return never;
}

async function* upTo(bytes: number, archive: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
  let passed = 0;
  for await (const chunk of archive) {
    if (passed >= bytes) await stalls();
    yield chunk;
    passed += chunk.length;
  }
}

const store = asked.bucket === undefined ? new FolderStore(asked.root) : s3StoreOn(asked.bucket);
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
        new Repository(store),
        new DriverRegistry({ docker: async () => docker }),
        {
          quieting: { leaseMs: 600_000, sweepMs: 600_000 },
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
