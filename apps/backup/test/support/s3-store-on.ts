import { SecretStore } from '#drivers/core';
import type { S3Options } from '../../src/repository/s3/s3-options.js';
import { S3Store } from '../../src/repository/s3/s3-store.js';
import type { S3Server } from '../../../../test/support/s3-server.js';

/** A store in the test's server, below the prefix `liftlock`. @param now milliseconds; default: the machine's */
export function s3StoreOn(
  server: Pick<S3Server, 'bucket' | 'endpoint' | 'keys'>,
  changes: Partial<S3Options> & { readonly variable?: string } = {},
  now?: () => number,
): S3Store {
  const { variable = `${server.keys.id}:${server.keys.secret}`, ...options } = changes;
  return new S3Store(
    {
      ...{ bucket: server.bucket, prefix: 'liftlock', endpoint: server.endpoint },
      ...{ region: 'us-east-1', pathStyle: true, credentials: 'env:LIFTLOCK_SECRET_S3' },
      ...{ partBytes: 5 * 1024 * 1024, ...options },
    },
    new SecretStore({ variables: { LIFTLOCK_SECRET_S3: variable } }),
    now,
  );
}
