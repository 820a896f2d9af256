import { createReadStream } from 'node:fs';
import { Readable } from 'node:stream';
import type { StepContext } from '#drivers/core';
import { FolderData } from '#drivers/data';

// works on a folder's data, and is killed in the middle of it
const [doing = '', top = '', upgrade = '', folder = '', archive = '', bytes = '0'] =
  process.argv.slice(2);
const context: StepContext = {
  ...{ upgrade, environment: 'test', application: 'test', stepId: 'step', token: 1, attempt: 1 },
  target: { name: 'one', driver: 'folder', site: 'main', endpoint: folder },
  timeoutSeconds: 300,
  signal: new AbortController().signal,
  guard: async () => undefined,
  log: () => undefined,
  transfer: () => undefined,
};
const source = { container: 'share', containerId: 'none', keptName: 'none', folder, paths: ['/'] };
async function* begin(): AsyncGenerator<Buffer> {
  yield* createReadStream(archive, { end: Number(bytes) - 1 }) as AsyncIterable<Buffer>;
  process.send?.('begun');
  await new Promise(() => setInterval(() => undefined, 1000));
}
const data = new FolderData([top]);
if (doing === 'write') {
  await data.write(context, source, Readable.from(begin()), 'one');
} else {
  // read a little of it, and no more
  const stream = await data.read(context, source);
  stream.once('readable', () => process.send?.('begun'));
  await new Promise(() => setInterval(() => undefined, 1000));
}
