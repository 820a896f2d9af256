import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { StepContext } from '#drivers/core';
import { systemIds } from '#kernel';
import { plantTree } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';
import type { RestoreService } from '../../src/restore.service.js';
import type { BackupStage } from './backup-stage.js';

let scenes = 0;

/** Data below a folder that the service's machine has mounted. @param top all lies in it */
// oxlint-disable-next-line typescript/explicit-function-return-type
export function shareScene(stage: BackupStage, top: string, name = 'share') {
  const folder = join(top, name);
  mkdirSync(folder);
  scenes += 1;
  const container = `kbs-${scenes}`;
  const upgrade = systemIds.next('upg');
  const input: Parameters<RestoreService['restore']>[1] = {
    ...{ container, containerId: container, keptName: container, backup: 'one' },
    ...{ folder, paths: ['/db', '/kbs'] },
  };
  let token = 0;
  const attempt = (changes: Partial<StepContext> = {}): ReturnType<typeof contextOf> => {
    token += 1;
    const target = { name: 'files', driver: 'folder', site: 'main', endpoint: folder } as const;
    return contextOf('', { upgrade, token, target, ...changes });
  };
  return {
    ...{ top, folder, input, attempt },
    plant: async (): Promise<void> => {
      for (const path of ['db', 'kbs', 'other']) mkdirSync(join(folder, path));
      await plantTree(join(folder, 'kbs'));
      for (const path of ['db', 'other']) writeFileSync(join(folder, path, 'file'), path);
    },
    snapshot: (consistency: 'stopped' | 'running' = 'stopped', changes?: Partial<StepContext>) =>
      stage.snapshots.take(attempt(changes), { ...input, consistency }),
    restore: (changes?: object, of?: Partial<StepContext>) =>
      stage.restores.restore(attempt(of), { ...input, ...changes }),
  };
}
