import { createReadStream } from 'node:fs';
import { open } from 'node:fs/promises';
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
  begun();
  await new Promise(() => setInterval(() => undefined, 1000));
}
const data = new FolderData([top]);
const begun = (): unknown => process.send?.('begun');
// a pipe: nothing ends before it is read, or has all
const file = (): ReturnType<typeof open> => open(`${archive}.pipe`, 'r+');
if (doing === 'into') {
  const pipe = await file();
  const { ended } = await data.readMeasuredInto(context, source, pipe, async () => undefined);
  await pipe.read(Buffer.alloc(1));
  begun();
  await ended;
} else if (doing === 'from') {
  const pipe = await file();
  const writing = data.writeFrom(context, source, pipe, 'one');
  for await (const piece of createReadStream(archive, { end: Number(bytes) - 1 }))
    await pipe.write(piece as Buffer);
  begun();
  await writing;
} else if (doing === 'write') {
  await data.write(context, source, Readable.from(begin()), 'one');
} else {
  // read a little of it, and no more
  const stream = await data.read(context, source);
  stream.once('readable', begun);
  await new Promise(() => setInterval(() => undefined, 1000));
}
