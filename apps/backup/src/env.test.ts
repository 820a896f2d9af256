import { describe, expect, it } from 'vitest';
import { env } from './env.js';
import { openRepository } from './repository/open-repository.js';

const BASE = {
  ...{ DATABASE_URL: 'postgres://backup@localhost/x', NATS_URL: 'nats://localhost' },
  ...{ NATS_USER: 'backup', NATS_PASSWORD: 'p', PORT: '1', LIFTLOCK_DATA: '/var/lib/x' },
};
const S3 = {
  LIFTLOCK_BACKUP_STORE: 's3://backups/site-a/liftlock/',
  LIFTLOCK_BACKUP_S3_CREDENTIALS: 'env:LIFTLOCK_SECRET_S3',
};
const locationOf = (more: Record<string, string>): string =>
  openRepository(env.parse({ ...BASE, ...more })).store.location;
const problemOf = (more: Record<string, string>): string =>
  env
    .safeParse({ ...BASE, ...more })
    .error?.issues.map(({ message }) => message)
    .join() ?? '';

describe('the repository', () => {
  it('is the folder of the service, another one, or a bucket', () => {
    expect(locationOf({})).toBe('/var/lib/x');
    expect(locationOf({ LIFTLOCK_BACKUP_STORE: '/mnt/nfs' })).toBe('/mnt/nfs');
    expect(locationOf(S3)).toBe('s3://backups/site-a/liftlock');
    expect(locationOf({ ...S3, LIFTLOCK_BACKUP_STORE: 's3://backups' })).toBe('s3://backups/');
  });

  it.each([
    [{ LIFTLOCK_BACKUP_STORE: 'backups' }, /absolute folder, or s3:/],
    [{ LIFTLOCK_BACKUP_STORE: 's3://B/../x' }, /absolute folder, or s3:/],
    [{ LIFTLOCK_BACKUP_STORE: 's3://backups' }, /is needed for s3:\/\/backups/],
    [{ LIFTLOCK_BACKUP_S3_CREDENTIALS: 'AKIA:secret' }, /secrets themselves never stand here/],
    [{ LIFTLOCK_BACKUP_S3_ENDPOINT: 'http://a:b@host' }, /must not say who asks/],
    [{ LIFTLOCK_BACKUP_RECIPIENTS: 'ssh-ed25519 AAAA' }, /public keys of age/],
    [{ LIFTLOCK_BACKUP_RECIPIENTS: 'age1abc' }, /what is written must be read back/],
    [{ LIFTLOCK_BACKUP_KEYS: 'AGE-SECRET-KEY-1X' }, /secrets themselves never stand here/],
  ])('is refused at the start when it is not complete: %j', (more, message) => {
    expect(problemOf(more)).toMatch(message);
  });

  it('may have several recipients and keys', () => {
    const parsed = env.parse({
      ...BASE,
      LIFTLOCK_BACKUP_RECIPIENTS: 'age1abc, age1def',
      LIFTLOCK_BACKUP_KEYS: 'env:LIFTLOCK_SECRET_NEW,env:LIFTLOCK_SECRET_OLD',
    });
    expect(parsed.LIFTLOCK_BACKUP_RECIPIENTS).toEqual(['age1abc', 'age1def']);
    expect(parsed.LIFTLOCK_BACKUP_KEYS).toHaveLength(2);
  });
});
