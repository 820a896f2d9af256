import { Inject, Injectable } from '@nestjs/common';
import { QueryClient } from '#bus';
import type { InstanceWithData, QueryData, QueryReply } from '#contracts';
import { DriverRegistry, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { CatalogueService } from './catalogue.service.js';
import type { BackupRow } from './persistence/backup-row.js';
import { FolderRestoreService } from './folder-restore.service.js';
import { RestoreService } from './restore.service.js';
import { RunsService, type RunPart, type WantedRun } from './runs.service.js';
import { SnapshotService } from './snapshot.service.js';
import { QUIETING, type Quieting } from './tokens.js';

/** Backups and restores that a person asks for, outside of an upgrade. */
@Injectable()
export class ByHandService {
  constructor(
    private readonly runs: RunsService,
    private readonly queries: QueryClient,
    private readonly catalogue: CatalogueService,
    private readonly snapshots: SnapshotService,
    private readonly restores: RestoreService,
    private readonly folders: FolderRestoreService,
    @Inject(QUIETING) private readonly options: Pick<Quieting, 'site'>,
    private readonly drivers: DriverRegistry,
  ) {}

  create(asked: QueryData<'create-backup'>): Promise<QueryReply<'create-backup'>> {
    return this.runs.begin(asked, async (id): Promise<WantedRun> => {
      const { environment, application } = asked.request;
      const instances = await this.instancesHere(asked.request);
      return {
        ...{ kind: 'create', environment, application },
        holds: instances.map(({ instance, target }) => ({ instance, target: target.name })),
        parts: instances.map((one): RunPart => ({
          ...{ instance: one.instance, backup: one.instance, target: one.target, set: id },
          act: (context) => this.snapshot(context, one),
        })),
      };
    });
  }

  restore(asked: QueryData<'restore-backup'>): Promise<QueryReply<'restore-backup'>> {
    const { request, ...key } = asked;
    const { to } = request;
    return this.runs.begin({ ...key, request: { ...request, ...keyOf(asked) } }, async () => {
      const row = await this.catalogue.find(keyOf(asked));
      await this.catalogue.assertOpens(row);
      return 'folder' in to ? this.toFolder(row, to.folder) : this.toInstance(row, to.instance);
    });
  }

  private async snapshot(context: StepContext, one: InstanceWithData): ReturnType<RunPart['act']> {
    const { container, keptName, folder, paths, consistency, hooks, keepAside, engine } = one;
    const inFolder = folder === undefined ? {} : { folder };
    const source = { container, containerId: container, keptName, ...inFolder, paths };
    // what works on a folder a person has to stop: whatever still runs is named
    const stop =
      consistency === 'stopped' && folder === undefined
        ? { stop: { timeoutSeconds: one.stopTimeoutSeconds } }
        : {};
    const { data } = await this.drivers.get(context.target.driver);
    const found = await data.look?.(context, source);
    const made = await this.snapshots.take(context, {
      ...source,
      ...(found === undefined ? {} : { containerId: found.containerId }),
      ...{ backup: one.instance, consistency },
      ...(hooks === undefined ? {} : { hooks }),
      ...(keepAside === undefined ? {} : { keepAside }),
      ...(engine === undefined ? {} : { engine }),
      ...stop,
    });
    const { files, location, warnings } = made;
    return { files, location, ...(warnings === undefined ? {} : { warnings }) };
  }

  private async toInstance(row: BackupRow, instance: string): Promise<WantedRun> {
    const { environment, application, upgrade, backup, location } = row;
    if (instance !== row.instance) {
      throw new LiftlockError(
        'conflict',
        `${location} is of ${row.instance}, and not of ${instance}: restore it there, or to a folder`,
      );
    }
    const [component = '', target = ''] = instance.split('@');
    const [one] = await this.instancesHere({ environment, application, component, target });
    if (one === undefined)
      throw new LiftlockError('not_found', `${instance} is in no document any more`);
    const manifest = await this.catalogue.manifestOf(row);
    const { container, keptName, keepAside } = one;
    const { paths, folder } = manifest.source;
    const inFolder = folder === undefined ? {} : { folder };
    return {
      ...{ kind: 'restore', environment, application },
      holds: [{ instance, target }],
      parts: [
        {
          ...{ instance, backup, target: one.target, set: upgrade },
          act: async (context) => {
            const source = { container, containerId: container, keptName, ...inFolder, paths };
            const { data } = await this.drivers.get(context.target.driver);
            const found = await data.look?.(context, source);
            const made = await this.restores.restore(
              context,
              {
                ...source,
                ...(found === undefined ? {} : { containerId: found.containerId }),
                backup,
                ...(keepAside === undefined ? {} : { keepAside }),
              },
              'exactly',
            );
            return { files: made.files, location };
          },
        },
      ],
    };
  }

  private async toFolder(row: BackupRow, folder: string): Promise<WantedRun> {
    const { environment, application, upgrade, backup, instance } = row;
    const manifest = await this.catalogue.manifestOf(row);
    await this.folders.assertEmpty(folder);
    return {
      ...{ kind: 'restore', environment, application, folder },
      holds: [],
      parts: [
        {
          ...{ instance, backup, target: manifest.source.target, set: upgrade },
          act: async (context) => {
            const from = this.catalogue.folderOf(row);
            const opened = await from.opened(manifest);
            const warnings = await this.folders.restore(context, from, opened, folder);
            return {
              ...{ files: manifest.files, location: folder },
              ...(warnings.length === 0 ? {} : { warnings }),
            };
          },
        },
      ],
    };
  }

  /** Of the targets that are reached from here. */
  private async instancesHere(
    asked: QueryData<'instances-with-data'>,
  ): Promise<InstanceWithData[]> {
    const { items } = await this.queries.ask('instances-with-data', asked);
    const here = items.filter(({ target }) => target.site === this.options.site);
    if (here.length > 0) return here;
    const sites = [...new Set(items.map(({ target }) => target.site))].join(', ');
    throw new LiftlockError(
      'not_found',
      `${asked.component} of ${asked.application} in ${asked.environment} is at the site ${sites}, and not at ${this.options.site}: ask there (--site)`,
    );
  }
}

function keyOf({ upgrade, backup }: QueryData<'restore-backup'>): {
  upgrade: string;
  backup: string;
} {
  return { upgrade, backup };
}
