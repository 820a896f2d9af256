import {
  despiteRestarts,
  type DataDriver,
  type DataHolder,
  type DataOrigin,
  type DataSource,
  type PauseDriver,
  type StepContext,
} from '#drivers/core';
import {
  archiverOf,
  ScriptedDataDriver,
  type ScriptedData,
  type ScriptRun,
  type ScriptRunner,
} from '#drivers/data';
import { LiftlockError } from '#kernel';
import { isAsLeft } from './data-as-left.js';
import { dataPlaces, readOnlyAsWritable, type ContainerPlaces } from './data-places.js';
import { usersOf } from './data-users.js';
import { nameOf, type ContainerInfo, type Engine, type Engines } from './engine.js';
import { fileMarks } from './file-marks.js';
import type { HelperImages } from './helper-image.js';
import { LABELS } from './labels.js';
import { removeLeftovers, runForOutput, runWithInput, type HelperRun } from './helper.js';
import { withPlannedId } from './made-by.js';
import { statInside } from './path-stat.js';
import { pause, resume, stateOf } from './pause.js';
import { plannedContainer } from './planned-container.js';

interface Place {
  readonly engine: Engine;
  readonly container: ContainerInfo;
  readonly places: ContainerPlaces;
}

/** The data of a container on its volumes and binds, read and written by a helper container that has the same mounts. */
export class DockerData extends ScriptedDataDriver {
  readonly pausing: PauseDriver = {
    pause: async (context, source) => {
      const { engine, container } = await this.holder(context, source);
      await pause(engine, context, container);
    },
    resume: async (context, source) => resume(this.engines.of(context.target), context, source),
  };
  private readonly found = new WeakMap<StepContext, Map<string, Promise<Place>>>();

  constructor(
    private readonly engines: Engines,
    private readonly images: HelperImages,
  ) {
    super();
  }

  async look(
    context: StepContext,
    source: Pick<DataSource, 'container' | 'containerId'>,
  ): Promise<DataHolder> {
    const { container } = await this.holder(context, source);
    return { state: stateOf(container), containerId: container.Id };
  }

  async usedBy(context: StepContext, source: DataSource): Promise<string[]> {
    const { engine, container, places } = await this.find(context, source);
    await removeLeftovers(engine, context, container.Id);
    return usersOf(engine, context, places);
  }

  async isAsLeft(context: StepContext, source: DataSource): Promise<boolean> {
    const { engine, container } = await this.holder(context, source);
    return isAsLeft(engine, context, container, () => this.list(context, source));
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
      mounts: places.mountPoints.map((mount) => ({
        destination: mount.Destination,
        kind: mount.Type === 'volume' ? 'volume' : 'bind',
        source: mount.Type === 'volume' ? (mount.Name ?? mount.Source) : mount.Source,
      })),
    };
  }

  async archiver(
    _context: StepContext,
    source: Pick<DataSource, 'plain'>,
  ): ReturnType<DataDriver['archiver']> {
    return archiverOf(await this.images.collected(), source);
  }

  /** With helpers that have the container's mounts. */
  protected async data(context: StepContext, source: DataSource): Promise<ScriptedData> {
    const { engine, container, places } = await this.find(context, source);
    const { images } = this;
    const tools = await images.collected();
    const helperRun = ({ script, what, writes, failed }: ScriptRun): HelperRun => ({
      ...{ images, tools, source: container, script, what, failed },
      ...(writes ? { binds: readOnlyAsWritable(places) } : {}),
    });
    const runner: ScriptRunner = {
      forOutput: (run, errors, input) =>
        runForOutput(engine, context, helperRun(run), errors, input),
      withInput: (run, input) => runWithInput(engine, context, helperRun(run), input),
    };
    return { of: source.container, tools, places, runner, plain: source.plain };
  }

  /** What is there for the time of an upgrade only, and may hold a secret, never gets into a backup. */
  protected override async lookBeforeReading(
    context: StepContext,
    source: DataSource,
  ): Promise<void> {
    const { engine, container } = await this.find(context, source);
    for (const { path, upgrade } of await fileMarks(engine, context, container.Id)) {
      if ((await statInside(engine, context, container, path)) === undefined) continue;
      throw new LiftlockError(
        'not_empty',
        `the upgrade ${upgrade} wrote ${path} of ${nameOf(container)} and has not removed it: no backup is taken with it; remove it, and try again`,
        { details: { container: nameOf(container), path, upgrade } },
      );
    }
  }

  /** Of its container only what never changes is right: an attempt looks once. */
  private find(context: StepContext, source: DataSource): Promise<Place> {
    const places = this.found.get(context) ?? new Map<string, Promise<Place>>();
    this.found.set(context, places);
    const key = JSON.stringify([source.containerId, source.paths]);
    const known = places.get(key);
    if (known !== undefined) return known;
    const place = this.place(context, source);
    places.set(key, place);
    place.catch(() => places.delete(key));
    return place;
  }

  private async place(context: StepContext, source: DataSource): Promise<Place> {
    const holder = await this.holder(context, source);
    return { ...holder, places: dataPlaces(holder.container, source.paths) };
  }

  private async holder(
    context: StepContext,
    source: Pick<DataSource, 'container' | 'containerId'>,
  ): Promise<Pick<Place, 'engine' | 'container'>> {
    const engine = this.engines.of(context.target);
    const container = await despiteRestarts(engine, context, async () =>
      plannedContainer(engine, context, await withPlannedId(engine, context, source)),
    );
    return { engine, container };
  }
}
