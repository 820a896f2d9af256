import { Inject, Injectable } from '@nestjs/common';
import { DriverRegistry, type DataDriver, type DataSource, type StepContext } from '#drivers/core';
import { FolderData, isWithin } from '#drivers/data';
import { LiftlockError } from '#kernel';
import { Repository } from './repository/repository.js';
import { FOLDERS } from './tokens.js';

/** What reads and writes data: the target's driver; or, of a folder that this machine has mounted, this service itself. */
@Injectable()
export class DataDrivers {
  constructor(
    private readonly drivers: DriverRegistry,
    @Inject(FOLDERS) private readonly folders: readonly string[],
    private readonly repository: Repository,
  ) {}

  /** @throws LiftlockError `invalid_step` for a folder of which nobody can tell what works on it, or that the repository is in. */
  async of(
    { target }: Pick<StepContext, 'target'>,
    source: Pick<DataSource, 'container' | 'folder' | 'paths'>,
  ): Promise<DataDriver> {
    const { folder, paths, container } = source;
    if (folder === undefined) return (await this.drivers.get(target.driver)).data;
    const { location: root } = this.repository.store;
    for (const path of paths.map((one) => `${folder}${one}`)) {
      if (!root.startsWith('/') || (!isWithin(root, path) && !isWithin(path, root))) continue;
      throw new LiftlockError(
        'invalid_step',
        `${path} and the repository of the backups, ${root}, lie within one another: move the repository elsewhere (LIFTLOCK_BACKUP_STORE)`,
      );
    }
    if (target.driver === 'folder') return new FolderData(this.folders);
    const { folders } = (await this.drivers.get(target.driver)).data;
    if (folders !== undefined) return new FolderData(this.folders, folders);
    throw new LiftlockError(
      'invalid_step',
      `on ${target.name} nobody can tell what works on ${folder}, where the data of ${container} is to be: with the driver ${target.driver} data is told by its paths inside the container`,
    );
  }
}
