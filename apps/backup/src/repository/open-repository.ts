import { join, resolve } from 'node:path';
import { SecretStore } from '#drivers/core';
import type { Env } from '../env.js';
import { Encryption } from './encryption.js';
import { FolderStore } from './folder-store.js';
import { Repository } from './repository.js';
import { ResticEngine } from './restic/restic-engine.js';
import { S3Store } from './s3/s3-store.js';
import type { Store } from './store.js';

const MIB = 1024 * 1024;

/** The repository that the environment names. Nothing is asked of it yet. */
export function openRepository(env: Env): Repository {
  const secrets = new SecretStore(env.secrets);
  const { LIFTLOCK_BACKUP_RECIPIENTS: recipients, LIFTLOCK_BACKUP_KEYS: keys } = env;
  const restic = {
    password: env.LIFTLOCK_BACKUP_RESTIC_PASSWORD,
    cacheFolder: join(resolve(env.LIFTLOCK_DATA), '.restic-cache'),
  };
  return new Repository(
    storeOf(env, secrets),
    new Encryption({ recipients, keys }, secrets),
    new ResticEngine(restic, secrets),
  );
}

function storeOf(env: Env, secrets: SecretStore): Store {
  const place = env.LIFTLOCK_BACKUP_STORE ?? resolve(env.LIFTLOCK_DATA);
  const [, bucket, prefix] = /^s3:\/\/([^/]+)\/?(.*?)\/?$/.exec(place) ?? [];
  if (bucket === undefined) return new FolderStore(place);
  const endpoint = env.LIFTLOCK_BACKUP_S3_ENDPOINT;
  const options = {
    bucket,
    prefix: prefix ?? '',
    endpoint,
    region: env.LIFTLOCK_BACKUP_S3_REGION,
    pathStyle: env.LIFTLOCK_BACKUP_S3_PATH_STYLE ?? endpoint !== undefined,
    // without it the environment is not complete
    credentials: env.LIFTLOCK_BACKUP_S3_CREDENTIALS ?? '',
    partBytes: env.LIFTLOCK_BACKUP_S3_PART_MIB * MIB,
  };
  return new S3Store(options, secrets);
}
