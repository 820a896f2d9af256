import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import { dockerDriver } from '#drivers/docker';
import type { StepContext } from '#drivers/core';

// begins to write an archive's first bytes into a container's data, and is killed while the rest is awaited
const [endpoint = '', upgrade = '', container = '', containerId = '', archive = '', bytes = '0'] =
  process.argv.slice(2);
const context: StepContext = {
  ...{ upgrade, environment: 'test', application: 'test', stepId: 'step', token: 1, attempt: 1 },
  target: { name: 'one', driver: 'docker', site: 'main', endpoint },
  timeoutSeconds: 300,
  signal: new AbortController().signal,
  guard: async () => undefined,
  log: () => undefined,
  transfer: () => undefined,
};
const source = { container, containerId, keptName: `${container}-kept`, paths: ['/data'] };
async function* begin(): AsyncGenerator<Buffer> {
  yield* createReadStream(archive, { end: Number(bytes) - 1 }) as AsyncIterable<Buffer>;
  process.send?.('begun');
  await new Promise(() => setInterval(() => undefined, 1000));
}
const { data } = await dockerDriver();
await data.write(context, source, Readable.from(begin()));
