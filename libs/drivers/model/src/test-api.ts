import { mkdir } from 'node:fs/promises';
import { systemClock } from '#kernel';
import { readHeldFiles, saveControl, type Control, type Held } from './control.js';
import { WorldStore } from './world-store.js';
import {
  HISTORY_FILE,
  modelContainerId,
  modelImageId,
  mtimeOf,
  type LedgerLine,
  type ModelWorld,
} from './world.js';

export interface NewModelContainer {
  readonly container: string;
  /** Image reference that it runs; the ID follows from it (`modelImageId`). */
  readonly image: string;
  /** Default: true. */
  readonly running?: boolean;
  /** File contents by absolute path inside the container; left out: it has no data. */
  readonly data?: Readonly<Record<string, string>>;
  /** Name of its volume; default: `<container>-data`. Equal names share their data. */
  readonly volume?: string;
}

/**
 * Makes the folder with containers and their images; `images` are the references of further images that are there, `objects` those of a
 * cluster's API by `<namespace>/<kind>/<name>`.
 */
export async function createModelWorld(
  folder: string,
  containers: readonly NewModelContainer[],
  images: readonly string[] = [],
  objects: Readonly<Record<string, string>> = {},
): Promise<ModelWorld> {
  const world: ModelWorld = {
    ...{ containers: {}, volumes: {}, images: {}, objects: { ...objects }, objectRecords: {} },
    ...{ tokens: {}, strikes: {}, ledger: [] },
  };
  const mtime = mtimeOf(systemClock.now());
  for (const reference of [...containers.map((one) => one.image), ...images]) {
    world.images[modelImageId(reference)] = reference;
  }
  for (const { container, image, running = true, data, volume } of containers) {
    const name = data === undefined ? volume : (volume ?? `${container}-data`);
    const imageId = modelImageId(image);
    world.containers[container] = {
      ...{ containerId: modelContainerId(folder, container), imageId },
      ...{ imageReference: image, running },
      ...(name === undefined ? {} : { volume: name }),
    };
    if (name === undefined) continue;
    world.volumes[name] ??= {
      files: { [HISTORY_FILE]: { content: `made by ${imageId}\n`, mtime } },
      writtenBy: imageId,
    };
    for (const [path, content] of Object.entries(data ?? {})) {
      world.volumes[name].files[path] = { content, mtime };
    }
  }
  await mkdir(folder, { recursive: true });
  await new WorldStore(folder).write(world);
  return world;
}

export function readWorld(folder: string): Promise<ModelWorld> {
  return new WorldStore(folder).read();
}

/** What truly happened, in order. */
export async function readLedger(folder: string): Promise<LedgerLine[]> {
  return (await readWorld(folder)).ledger;
}

/** Takes the place of the control file as it was; `{}` lifts every rule. */
export function writeControl(folder: string, control: Control): Promise<void> {
  return saveControl(folder, control);
}

/** Attempts that a rule holds, those of killed processes included (their `pid` tells). */
export function readHeld(folder: string): Promise<Held[]> {
  return readHeldFiles(folder);
}
