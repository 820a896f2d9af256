import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepContext } from '#drivers/core';
import { systemIds } from '#kernel';
import { plantTree } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import type { RestoreService } from '../../src/restore.service.js';
import type { SnapshotService } from '../../src/snapshot.service.js';
import type { BackupStage } from './backup-stage.js';

type Attempt = ReturnType<typeof contextOf>;

export interface ShareScene {
  readonly top: string;
  /** What is mounted: with the paths `/db` and `/kbs`, and another that is none of the data. */
  readonly folder: string;
  readonly input: Parameters<RestoreService['restore']>[1];
  /** A new one, with a token of its own. */
  attempt(changes?: Partial<StepContext>): Attempt;
  plant(): Promise<void>;
  snapshot(
    consistency?: 'stopped' | 'running',
    changes?: Partial<StepContext>,
  ): ReturnType<SnapshotService['take']>;
  restore(changes?: object, of?: Partial<StepContext>): ReturnType<RestoreService['restore']>;
}

let scenes = 0;

/** Data below a folder that the service's machine has mounted. @param top all lies in it */
export function shareScene(stage: BackupStage, top: string, name = 'share'): ShareScene {
  const folder = join(top, name);
  mkdirSync(folder);
  scenes += 1;
  const container = `kbs-${scenes}`;
  const upgrade = systemIds.next('upg');
  const input: ShareScene['input'] = {
    ...{ container, containerId: container, keptName: container, backup: 'one' },
    ...{ folder, paths: ['/db', '/kbs'] },
  };
  let token = 0;
  const attempt = (changes: Partial<StepContext> = {}): Attempt => {
    token += 1;
    const target = { name: 'files', driver: 'folder', site: 'main', endpoint: folder } as const;
    return contextOf('', { upgrade, token, target, ...changes });
  };
  return {
    ...{ top, folder, input, attempt },
    async plant() {
      for (const path of ['db', 'kbs', 'other']) mkdirSync(join(folder, path));
      await plantTree(join(folder, 'kbs'));
      for (const path of ['db', 'other']) writeFileSync(join(folder, path, 'file'), path);
    },
    snapshot: (consistency = 'stopped', changes) =>
      stage.snapshots.take(attempt(changes), { ...input, consistency }),
    restore: (changes, of) => stage.restores.restore(attempt(of), { ...input, ...changes }),
  };
}
