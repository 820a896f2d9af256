import type { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import {
  despiteRestarts,
  type DataDriver,
  type DataEntry,
  type DataOrigin,
  type DataSource,
  type DataSpace,
  type StepContext,
} from '#drivers/core';
import { LiftlockError } from '#kernel';
import { isAsLeft } from './data-as-left.js';
import { entriesIn, parseEntries } from './data-entries.js';
import { dataError } from './data-errors.js';
import { dataPlaces, readOnlyAsWritable, type DataPlaces } from './data-places.js';
import { settleScript } from './data-aside.js';
import {
  EXIT,
  listScript,
  readScript,
  readMeasuredScript,
  spaceScript,
  writeScript,
} from './data-scripts.js';
import { parseSpace, spaceIn } from './data-space.js';
import { usersOf } from './data-users.js';
import { nameOf, type ContainerInfo, type Engine, type Engines } from './engine.js';
import { fileMarks } from './file-marks.js';
import { ListThenWords } from './frames.js';
import type { HelperImages } from './helper-image.js';
import type { HelperTools } from './helper-tools.js';
import { LABELS } from './labels.js';
import { removeLeftovers, runForOutput, runWithInput, type HelperRun } from './helper.js';
import { withPlannedId } from './made-by.js';
import { statInside } from './path-stat.js';
import { plannedContainer } from './planned-container.js';
import { zeroEnded } from './zero-ended.js';

interface Place {
  readonly engine: Engine;
  readonly container: ContainerInfo;
  readonly places: DataPlaces;
}

interface Helper extends Place {
  readonly run: HelperRun;
}

type Script = (tools: HelperTools, places: DataPlaces) => string;

/** The data of a container on its volumes and binds, read and written by a helper container that has the same mounts. */
export class DockerData implements DataDriver {
  private readonly found = new WeakMap<StepContext, Map<string, Promise<Place>>>();

  constructor(
    private readonly engines: Engines,
    private readonly images: HelperImages,
  ) {}

  async usedBy(context: StepContext, source: DataSource): Promise<string[]> {
    const { engine, container, places } = await this.find(context, source);
    await removeLeftovers(engine, context, container.Id);
    return usersOf(engine, context, places);
  }

  async isAsLeft(context: StepContext, source: DataSource): Promise<boolean> {
    const { engine, container } = await this.look(context, source);
    return isAsLeft(engine, context, container, () => this.list(context, source));
  }

  /** Sockets are left out: no archive holds them, and none means anything once its process has ended. */
  async list(context: StepContext, source: DataSource): Promise<DataEntry[]> {
    const { engine, run } = await this.helper(context, source, 'listing', listScript);
    return comparable(context, await parseEntries(await runForOutput(engine, context, run)));
  }

  async space(context: StepContext, source: DataSource): Promise<DataSpace> {
    const { engine, run } = await this.helper(context, source, 'measuring', spaceScript);
    return parseSpace(await runForOutput(engine, context, run));
  }

  async origin(context: StepContext, source: DataSource): Promise<DataOrigin> {
    const { engine, container, places } = await this.find(context, source);
    const image = await engine.inspectImage(container.Image, context.signal);
    return {
      image: {
        // what we make is made from an ID: the reference that a person wrote is in its label
        reference: container.Config.Labels?.[LABELS.image] ?? container.Config.Image,
        id: container.Image,
        digests: image?.RepoDigests ?? [],
      },
      mounts: places.mounts.map((mount) => ({
        destination: mount.Destination,
        kind: mount.Type === 'volume' ? 'volume' : 'bind',
        source: mount.Type === 'volume' ? (mount.Name ?? mount.Source) : mount.Source,
      })),
    };
  }

  async read(context: StepContext, source: DataSource): Promise<Readable> {
    const { engine, run } = await this.reading(context, source, readScript);
    return runForOutput(engine, context, run);
  }

  /** One helper for all: to start one takes more than to read a small volume. */
  async readMeasured<T>(
    context: StepContext,
    source: DataSource,
    makeRoom: (space: DataSpace) => Promise<T>,
  ): Promise<{ archive: Readable; entries: Promise<DataEntry[]>; room: T }> {
    const { engine, run } = await this.reading(context, source, readMeasuredScript);
    const errors = new ListThenWords();
    const begin = Promise.withResolvers<string>();
    const archive = await runForOutput(engine, context, run, errors, begin.promise);
    archive.once('close', () => {
      if (archive.readableEnded) errors.list.end();
      else errors.list.destroy(archive.errored ?? new Error(`${run.what} was broken off`));
    });
    const fields = zeroEnded(errors.list);
    let room: T;
    try {
      room = await makeRoom(await spaceIn(fields));
    } catch (error) {
      archive.destroy();
      throw error;
    }
    begin.resolve('begin\n');
    const listed = async (): Promise<DataEntry[]> => {
      await fields.next(); // the second empty field
      return comparable(context, await entriesIn(fields));
    };
    const entries = listed();
    // whoever reads the archive sees how it ends
    entries.catch(() => undefined);
    return { archive, entries, room };
  }

  private async reading(context: StepContext, source: DataSource, script: Script): Promise<Helper> {
    const helper = await this.helper(context, source, 'reading', script);
    await refuseEphemeralFiles(helper.engine, context, helper.container);
    return helper;
  }

  async write(
    context: StepContext,
    source: DataSource,
    archive: Readable,
    keepAside?: string,
  ): Promise<void> {
    let helper: Helper;
    try {
      helper = await this.writing(context, source, 'writing', (tools, places) =>
        writeScript(tools, places, keepAside),
      );
    } catch (error) {
      archive.destroy();
      throw error;
    }
    await runWithInput(helper.engine, context, helper.run, archive);
  }

  async settle(
    context: StepContext,
    source: DataSource,
    keptAside: readonly string[],
  ): Promise<void> {
    const { engine, run } = await this.writing(
      ...([context, source, 'removing what was kept aside of'] as const),
      (tools, places) => settleScript(tools, places, keptAside, EXIT.keeping),
    );
    await buffer(await runForOutput(engine, context, run));
  }

  async archiver(): Promise<{ format: string; tools: Readonly<Record<string, string>> }> {
    const { versions } = await this.images.collected();
    return { format: 'tar.zst', tools: versions };
  }

  private async writing(
    context: StepContext,
    source: DataSource,
    doing: string,
    script: Script,
  ): Promise<Helper> {
    const { run, places, ...place } = await this.helper(context, source, doing, script);
    const failed = dataError(run.what, 'write');
    return { ...place, places, run: { ...run, binds: readOnlyAsWritable(places), failed } };
  }

  /** What runs a script on the container's mounts; `doing` is for messages. */
  private async helper(
    context: StepContext,
    source: DataSource,
    doing: string,
    script: Script,
  ): Promise<Helper> {
    const place = await this.find(context, source);
    const { images } = this;
    const tools = await images.collected();
    const what = `${doing} the data of ${source.container}`;
    const run: HelperRun = {
      ...{ images, tools, what, source: place.container },
      script: script(tools, place.places),
      failed: dataError(what, 'read'),
    };
    return { ...place, run };
  }

  /** Of its container only what never changes is right: an attempt looks once. */
  private find(context: StepContext, source: DataSource): Promise<Place> {
    const places = this.found.get(context) ?? new Map<string, Promise<Place>>();
    this.found.set(context, places);
    const key = JSON.stringify([source.containerId, source.paths]);
    const known = places.get(key);
    if (known !== undefined) return known;
    const place = this.look(context, source);
    places.set(key, place);
    place.catch(() => places.delete(key));
    return place;
  }

  private async look(context: StepContext, source: DataSource): Promise<Place> {
    const engine = this.engines.of(context.target);
    const container = await despiteRestarts(engine, context, async () =>
      plannedContainer(engine, context, await withPlannedId(engine, context, source)),
    );
    return { engine, container, places: dataPlaces(container, source.paths) };
  }
}

/** Without what no archive holds. */
function comparable(context: StepContext, entries: readonly DataEntry[]): DataEntry[] {
  const kept = entries.filter(({ type }) => type !== 'socket');
  if (kept.length < entries.length)
    context.log(`${entries.length - kept.length} sockets are not part of the data`);
  if (kept.some(({ attributes }) => attributes === undefined))
    context.log(
      'extended attributes are in the archive, and cannot be listed and compared: there is no getfattr (apt-get install attr), or it failed',
    );
  return kept;
}

/** What is there for the time of an upgrade only, and may hold a secret, never gets into a backup. */
async function refuseEphemeralFiles(
  engine: Engine,
  context: StepContext,
  container: ContainerInfo,
): Promise<void> {
  for (const { path, upgrade } of await fileMarks(engine, context, container.Id)) {
    if ((await statInside(engine, context, container, path)) === undefined) continue;
    throw new LiftlockError(
      'not_empty',
      `the upgrade ${upgrade} wrote ${path} of ${nameOf(container)} and has not removed it: no backup is taken with it; remove it, and try again`,
      { details: { container: nameOf(container), path, upgrade } },
    );
  }
}
