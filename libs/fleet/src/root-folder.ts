import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LiftlockError } from '#kernel';

/** The folder of the repository: found upward from this file, be it run from sources or from `dist`. */
export function rootFolder(): string {
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, 'package.json'))) {
    const parent = dirname(folder);
    if (parent === folder)
      throw new LiftlockError('misconfigured', "no package.json above Liftlock's own files");
    folder = parent;
  }
  return folder;
}

/** Where the embedded fleet of this repository keeps its state, data and logs. */
export function fleetFolder(): string {
  return join(rootFolder(), '.liftlock');
}
