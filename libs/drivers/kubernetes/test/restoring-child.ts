import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { SecretStore, type DataSource, type StepContext } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';

interface Task {
  readonly upgrade: string;
  readonly target: StepContext['target'];
  readonly source: DataSource;
  readonly archive: string;
  readonly bytes: number;
  readonly secrets: Readonly<Record<string, string>>;
  readonly helper: string;
}

// begins to write an archive's first bytes onto a workload's claims, and is killed while the rest is awaited
const [task] = (await once(process, 'message')) as [Task];
const context: StepContext = {
  ...{ environment: 'test', application: 'test', stepId: 'step', token: 1, attempt: 1 },
  ...{ upgrade: task.upgrade, target: task.target, timeoutSeconds: 300 },
  signal: new AbortController().signal,
  guard: async () => undefined,
  log: () => undefined,
  transfer: () => undefined,
};
async function* begin(): AsyncGenerator<Buffer> {
  yield* createReadStream(task.archive, { end: task.bytes - 1 }) as AsyncIterable<Buffer>;
  process.send?.('begun');
  await new Promise(() => setInterval(() => undefined, 1000));
}
const { data } = await kubernetesDriver(new SecretStore({ variables: task.secrets }), task.helper);
await data.write(context, task.source, Readable.from(begin()), 'one');
