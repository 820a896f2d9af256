import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { SecretStore } from '#drivers/core';
import { Encryption } from '../../src/repository/encryption.js';
import { Repository } from '../../src/repository/repository.js';
import { ResticEngine } from '../../src/repository/restic/restic-engine.js';
import type { Store } from '../../src/repository/store.js';

export const RESTIC_REFERENCE = 'env:LIFTLOCK_SECRET_RESTIC';

/** Backups of which restic keeps the archives. @param password default: the one that tests have */
export function resticRepository(store: Store, password = 'of-the-tests'): Repository {
  const secrets = new SecretStore({ variables: { LIFTLOCK_SECRET_RESTIC: `${password}\n` } });
  const options = {
    password: RESTIC_REFERENCE,
    cacheFolder: join(tmpdir(), 'liftlock-test-restic-cache'),
    // what a test lets hold a repository is gone within a moment
    patience: { forMs: 60_000, everyMs: 100 },
  };
  return new Repository(store, new Encryption(), new ResticEngine(options, secrets));
}
