import { createHash } from 'node:crypto';
import { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import { z } from 'zod';
import type {
  DataDriver,
  DataEntry,
  DataOrigin,
  DataSource,
  DataSpace,
  StepContext,
} from '#drivers/core';
import { canonicalJson, LiftlockError } from '#kernel';
import type { Decision, EffectWriter } from './effects.js';
import { isPlanned } from './model-instances.js';
import { modelWorld, wasWrittenByJob, type ModelVolume, type ModelWorld } from './world.js';

/** What a model archive holds: the volume, as JSON. */
const archiveSchema = modelWorld.shape.volumes.valueType;

export class ModelData implements DataDriver {
  constructor(private readonly effects: EffectWriter) {}

  async usedBy(context: StepContext, source: DataSource): Promise<string[]> {
    const world = await this.effects.store.read();
    return users(world, volumeOf(world, context, source)[0]);
  }

  /** A model forgets nothing: its ledger also knows of what was removed since. */
  async isAsLeft(context: StepContext, source: DataSource): Promise<boolean> {
    const { upgrade } = context;
    const { container } = source;
    const world = await this.effects.store.read();
    const data = containerOf(world, context, source)?.volume;
    const volume = data === undefined ? undefined : world.volumes[data];
    if (volume !== undefined && wasWrittenByJob(volume)) return false;
    return !world.ledger.some(
      (line) =>
        'effect' in line &&
        line.effect === 'started-new' &&
        line.upgrade === upgrade &&
        line.container === container,
    );
  }

  async list(context: StepContext, source: DataSource): Promise<DataEntry[]> {
    const [, volume] = volumeOf(await this.effects.store.read(), context, source);
    return Object.entries(volume.files)
      .map(([path, { content, mtime }]): DataEntry => {
        const sha256 = createHash('sha256').update(content).digest('hex');
        const size = Buffer.byteLength(content);
        return { path, type: 'file', mode: '0644', uid: 0, gid: 0, size, mtime, sha256 };
      })
      .sort((a, b) => (a.path < b.path ? -1 : 1));
  }

  /** A model's disk is never full. */
  async space(context: StepContext, source: DataSource): Promise<DataSpace> {
    const entries = await this.list(context, source);
    const usedBytes = entries.reduce((sum, { size }) => sum + size, 0);
    return {
      disks: [{ places: ['/'], usedBytes, freeBytes: Number.MAX_SAFE_INTEGER }],
      entries: entries.length,
      keptAside: [],
    };
  }

  async origin(context: StepContext, source: DataSource): Promise<DataOrigin> {
    const world = await this.effects.store.read();
    const [name] = volumeOf(world, context, source);
    const container = containerOf(world, context, source);
    return {
      image: {
        reference: container?.imageReference ?? '',
        id: container?.imageId ?? '',
        digests: [],
      },
      mounts: [{ destination: '/', kind: 'volume', source: name }],
    };
  }

  async read(context: StepContext, source: DataSource): Promise<Readable> {
    const { container } = source;
    await this.effects.obey(context, 'data.snapshot', container, 'before');
    const archive = await this.effects.make(context, container, (world): Decision<string> => {
      const [, volume] = volumeOf(world, context, source);
      const ours = Object.entries(volume.files).find(([, file]) => file.writtenFor !== undefined);
      if (ours !== undefined) return { effect: 'snapshot', violation: `${ours[0]} is there` };
      return { effect: 'snapshot', apply: () => canonicalJson(volume) };
    });
    const middle = archive.length >> 1;
    const { effects } = this;
    return Readable.from(
      (async function* () {
        yield Buffer.from(archive.slice(0, middle));
        await effects.obey(context, 'data.snapshot', container, 'between');
        yield Buffer.from(archive.slice(middle));
        await effects.obey(context, 'data.snapshot', container, 'after');
      })(),
      { objectMode: false },
    );
  }

  async write(context: StepContext, source: DataSource, archive: Readable): Promise<void> {
    const { container } = source;
    const wanted = parseArchive(await text(archive), container);
    await this.effects.obey(context, 'data.restore', container, 'before');
    await this.effects.make(context, container, (world): Decision<void> => {
      const [name, volume] = volumeOf(world, context, source);
      const restored = world.ledger.some(
        (line) =>
          'effect' in line &&
          line.effect === 'restored' &&
          line.upgrade === context.upgrade &&
          line.stepId === context.stepId,
      );
      const same = canonicalJson(volume) === canonicalJson(wanted);
      if (same && restored) return { done: undefined };
      if (same) return { effect: 'restored', violation: 'the data was never touched' };
      const [running] = users(world, name);
      if (running !== undefined) return { effect: 'restored', violation: `${running} runs on it` };
      return {
        effect: 'restored',
        apply: () => {
          world.volumes[name] = wanted;
        },
      };
    });
    await this.effects.obey(context, 'data.restore', container, 'after');
  }

  /** A model's write is one change: nothing is ever kept aside. A restore that was cut off after it ends here. */
  async settle(context: StepContext, { container }: DataSource): Promise<void> {
    await this.effects.obey(context, 'data.restore', container, 'after');
  }

  async archiver(): Promise<{ format: string; tools: Readonly<Record<string, string>> }> {
    return { format: 'json', tools: { model: '1' } };
  }
}

function containerOf(
  world: ModelWorld,
  { upgrade }: StepContext,
  source: DataSource,
): ModelWorld['containers'][string] | undefined {
  const all = Object.entries(world.containers);
  return (
    all.find(([, one]) => isPlanned(one, upgrade, source.containerId))?.[1] ??
    world.containers[source.container]
  );
}

function volumeOf(
  world: ModelWorld,
  context: StepContext,
  source: DataSource,
): [name: string, volume: ModelVolume] {
  const container = containerOf(world, context, source);
  const name = container?.volume;
  const volume = name === undefined ? undefined : world.volumes[name];
  if (name === undefined || volume === undefined) {
    throw new LiftlockError('data_missing', `the container ${source.container} has no data`);
  }
  return [name, volume];
}

function users(world: ModelWorld, volume: string): string[] {
  return Object.entries(world.containers)
    .filter(([, one]) => one.running && one.volume === volume)
    .map(([name]) => name)
    .sort();
}

function parseArchive(json: string, container: string): z.infer<typeof archiveSchema> {
  try {
    return archiveSchema.parse(JSON.parse(json));
  } catch (error) {
    throw new LiftlockError('data_corrupt', `the archive for ${container} is not a model archive`, {
      cause: error,
    });
  }
}
