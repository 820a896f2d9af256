import type { Readable } from 'node:stream';
import { transferMeter, type StepContext } from '#drivers/core';
import { LiftlockError, mebibytes } from '#kernel';
import type { Engine } from './engine.js';
import { follow } from './engine-progress.js';
import { PulledLayers } from './pulled-layers.js';

/** What a registry says when it has no such image, or not for us: asking again does not help. */
const NOT_THERE = /not found|manifest unknown|name unknown|denied|unauthorized|no such image/i;

/** As the engine passes it on to the registry, with each pull. */
export interface AuthConfig {
  readonly username: string;
  readonly password: string;
  readonly serveraddress: string;
}

export interface Pull {
  /** `registry/repository@sha256:…` */
  readonly digest: string;
  readonly authconfig: AuthConfig | undefined;
  /** Told how many packed bytes have come. */
  readonly told: (bytes: number) => void;
}

/** @throws LiftlockError `image_missing` where the registry has no such image, or not for us; `disk_full` */
export async function pull(engine: Engine, context: StepContext, wanted: Pull): Promise<void> {
  const { digest } = wanted;
  await context.guard();
  context.log(`pulling ${digest}`);
  try {
    await pullOnce(engine, context, wanted);
  } catch (error) {
    if (context.signal.aborted) throw error;
    const { code, message } = LiftlockError.from(error);
    if (code !== 'target_refused' && code !== 'image_missing') throw error;
    throw new LiftlockError('image_missing', message, {
      cause: error,
      retryable: !NOT_THERE.test(message),
      details: { digest, target: engine.name },
    });
  }
}

async function pullOnce(
  engine: Engine,
  context: StepContext,
  { digest, authconfig, told }: Pull,
): Promise<void> {
  const at = digest.lastIndexOf('@');
  const layers = new PulledLayers();
  const meter = transferMeter(context, 'pull', `pulling ${digest}: `);
  const answer = await engine.call(`pulling ${digest}`, context.signal, (docker, options) =>
    docker.createImage({
      fromImage: digest.slice(0, at),
      tag: digest.slice(at + 1),
      ...(authconfig === undefined ? {} : { authconfig }),
      ...options,
    } as object),
  );
  try {
    await follow(engine, context, answer as Readable, `pulling ${digest}`, (progress) => {
      if (!layers.add(progress)) return;
      const { doneBytes, totalBytes } = layers;
      told(doneBytes);
      meter({ doneBytes, totalBytes });
    });
  } catch (error) {
    const { code, message } = LiftlockError.from(error);
    if (code !== 'disk_full' || layers.totalBytes === 0) throw error;
    // others may have filled it meanwhile
    throw new LiftlockError(
      'disk_full',
      `${message}; the image's layers that are not there yet are ${mebibytes(layers.totalBytes)} packed, and more when unpacked`,
      { cause: error, details: { target: engine.name, bytes: layers.totalBytes } },
    );
  }
}
