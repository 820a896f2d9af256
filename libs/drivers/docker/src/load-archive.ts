import { pipeline, Transform, type Readable } from 'node:stream';
import { transferMeter, type StepContext } from '#drivers/core';
import { openArchive, type ArchiveContents } from './archive.js';
import type { Engine } from './engine.js';
import { follow } from './engine-progress.js';
import { PulledLayers } from './pulled-layers.js';

const WHAT = 'loading the image';

/**
 * `docker load`. Its bytes go to the engine, which then takes the layers from what it got: both count for how far it is.
 * @param told how many bytes the engine has, of the archive and of its layers
 */
export async function loadArchive(
  engine: Engine,
  context: StepContext,
  { path, bytes, images }: ArchiveContents,
  told: (bytes: number) => void,
): Promise<void> {
  const layers = new PulledLayers();
  const meter = transferMeter(context, 'pull', `${WHAT}: `);
  const ofLayers = images
    .flatMap((image) => image.layers)
    .reduce((sum, layer) => sum + layer.bytes, 0);
  let sent = 0;
  const moved = (): void => {
    const doneBytes = sent + layers.doneBytes;
    told(doneBytes);
    // the ends of files are filled up in a tar, and layers that are there already are not told
    meter({ doneBytes: Math.min(doneBytes, bytes + ofLayers), totalBytes: bytes + ofLayers });
  };
  const counted = new Transform({
    transform(chunk: Buffer, _encoding, done) {
      sent += chunk.byteLength;
      moved();
      done(null, chunk);
    },
  });
  // the callback only keeps an error from being nobody's: who reads `counted` gets it, too
  pipeline(await openArchive(path), counted, () => undefined);
  const answer = await engine.call(WHAT, context.signal, (docker, options) =>
    // else it says nothing of the layers
    docker.loadImage(counted, { quiet: false, ...options } as object),
  );
  await follow(engine, context, answer as Readable, WHAT, (progress) => {
    if (layers.add(progress)) moved();
  });
}
