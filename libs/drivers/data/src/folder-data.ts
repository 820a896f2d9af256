import type { FileHandle } from 'node:fs/promises';
import type {
  AtWork,
  DataDriver,
  DataEntry,
  DataOrigin,
  DataSource,
  DataSpace,
  FolderUse,
  StepContext,
} from '#drivers/core';
import { digestOf, LiftlockError } from '#kernel';
import { archiverOf, localTools, type DataTools } from './data-tools.js';
import { fileUsers } from './file-users.js';
import { fileSystemsOf, folderPlaces, refuseLinks, type FolderPlaces } from './folder-places.js';
import { LocalScripts } from './local-scripts.js';
import { endLeftovers } from './script-marks.js';
import { readDataMeasuredInto, writeDataFrom, type LocalData } from './scripted-data.js';
import { ScriptedDataDriver } from './scripted-data-driver.js';

/** The data of a folder that the service's machine has mounted: a share, a disk, a bind mount. */
export class FolderData extends ScriptedDataDriver {
  private static tools: Promise<DataTools> | undefined;

  /**
   * @param allowed folders of this machine that data may be in
   * @param target knows who else works on it; default: nobody does but processes of this machine
   */
  constructor(
    private readonly allowed: readonly string[],
    private readonly target?: FolderUse,
  ) {
    super();
  }

  async usedBy(context: StepContext, source: DataSource): Promise<string[]> {
    const places = await this.places(source);
    await endLeftovers(context, keyOf(places));
    const [elsewhere = [], here] = await Promise.all([
      this.target?.usedBy(context, source),
      fileUsers(places),
    ]);
    return [...elsewhere, ...here];
  }

  async isAsLeft(context: StepContext, source: DataSource): Promise<boolean> {
    return (
      (await this.target?.isAsLeft(context, source, () => this.list(context, source))) ?? false
    );
  }

  async origin(context: StepContext, source: DataSource): Promise<DataOrigin> {
    const image = await this.target?.image(context, source);
    const found = fileSystemsOf(await this.places(source));
    return {
      ...(image === undefined ? {} : { image }),
      mounts: found.map(({ path: destination, source: from }) => ({
        ...{ destination, kind: 'bind', source: from },
      })),
    };
  }

  async archiver(
    _context: StepContext,
    source: Pick<DataSource, 'plain'>,
  ): ReturnType<DataDriver['archiver']> {
    return archiverOf(await this.tools(), source);
  }

  async readMeasuredInto<T>(
    context: StepContext,
    source: DataSource,
    file: FileHandle,
    makeRoom: (space: DataSpace) => Promise<T>,
  ): Promise<AtWork & { entries: Promise<DataEntry[]>; room: T }> {
    await this.lookBeforeReading(context, source);
    return readDataMeasuredInto(context, await this.data(context, source), file, makeRoom);
  }

  async writeFrom(
    context: StepContext,
    source: DataSource,
    archive: FileHandle,
    keepAside?: string,
  ): Promise<DataEntry[]> {
    return writeDataFrom(context, await this.data(context, source), archive, keepAside);
  }

  protected async data(context: StepContext, source: DataSource): Promise<LocalData> {
    const [tools, places] = await Promise.all([this.tools(), this.places(source)]);
    const runner = new LocalScripts(context, tools, keyOf(places));
    return { of: source.container, tools, places, runner, plain: source.plain };
  }

  private async places({ folder, paths }: DataSource): Promise<FolderPlaces> {
    if (folder === undefined) throw new LiftlockError('invalid_step', 'names no folder');
    return folderPlaces(this.allowed, { folder, paths });
  }

  /** Looked for again after a failure: a package may have been installed. */
  private tools(): Promise<DataTools> {
    FolderData.tools ??= localTools();
    FolderData.tools.catch(() => (FolderData.tools = undefined));
    return FolderData.tools;
  }

  protected override async lookBeforeReading(
    context: StepContext,
    source: DataSource,
  ): Promise<void> {
    const places = await this.places(source);
    await refuseLinks(places);
    // a backup of it is worth having, though only a person can put it back
    const found = fileSystemsOf(places).find(({ isReadOnly }) => isReadOnly);
    if (found === undefined) return;
    context.log(
      `${source.folder}${found.path === '/' ? '' : found.path} is mounted read-only on the machine of the backup service: nothing can be restored there before it is mounted read-write`,
      'warn',
    );
  }
}

/** What scripts work on, in their marks. */
function keyOf({ root, paths }: FolderPlaces): string {
  return digestOf([root, [...paths]]);
}
