import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { SecretStore } from '#drivers/core';
import { PLAIN_ENV, programOf } from '#drivers/data';
import { LiftlockError } from '#kernel';
import type { ApplicationKey } from '../backup-key.js';
import type { Store } from '../store.js';
import { ResticArchives, type ResticAccess } from './restic-archives.js';

export interface ResticOptions {
  /** Reference (`env:LIFTLOCK_SECRET_…`) to the password of its repositories; none: nothing is kept by restic. */
  readonly password?: string | undefined;
  readonly cacheFolder: string;
  readonly patience?: ResticAccess['patience'];
}

const VARIABLE = 'LIFTLOCK_BACKUP_RESTIC_PASSWORD';

/** The second engine: archives that restic keeps, which writes what it has already only once. */
export class ResticEngine {
  constructor(
    private readonly options?: ResticOptions,
    private readonly secrets?: SecretStore,
  ) {}

  get isOn(): boolean {
    return this.options?.password !== undefined;
  }

  /** @throws LiftlockError `misconfigured` when nobody says its password */
  at(store: Store, of: ApplicationKey): ResticArchives {
    const { options, secrets } = this;
    const reference = options?.password;
    if (options === undefined || reference === undefined || secrets === undefined)
      throw new LiftlockError(
        'misconfigured',
        `a backup of ${of.application} is to be kept by restic, and the backup service has no password for its repositories: set ${VARIABLE}; nothing was touched`,
      );
    return new ResticArchives(store.restic(of), {
      ...{ program, reference, cacheFolder: options.cacheFolder },
      ...(options.patience === undefined ? {} : { patience: options.patience }),
      // a file's last line ends with a line end, which is no part of it
      password: async () => (await secrets.get(reference)).trim(),
    });
  }

  /** First line of what it says of its version. @throws LiftlockError `misconfigured` when it is not there */
  async version(): Promise<string> {
    const { stdout } = await promisify(execFile)(await program(), ['version'], { env: PLAIN_ENV });
    return stdout.trim();
  }
}

async function program(): Promise<string> {
  const path = await programOf('restic');
  if (path !== undefined) return path;
  throw new LiftlockError(
    'misconfigured',
    `restic is needed on the backup service's machine since ${VARIABLE} is set, and is not there: apt-get install restic`,
    { details: { tool: 'restic', package: 'restic' } },
  );
}
