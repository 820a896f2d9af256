import { DataSource } from 'typeorm';
import { Copier, type CopyResult, Registries, RegistrySource } from '#oci';
import { BlobClaimStore } from '../src/persistence/blob-claim.store.js';
import { SharedBlobClaims } from '../src/registries/shared-blob-claims.js';

export interface Copying {
  readonly database: string;
  readonly leaseMs: number;
  readonly from: { readonly registry: string; readonly repository: string };
  readonly to: { readonly registry: string; readonly repository: string };
  /** Of what comes from the source. */
  readonly bytesPerSecond: number;
}

/** Copies the image `1.0`, as a replica of the mirror does. @returns how its blobs came to the target */
export async function copyOnce({ from, to, ...job }: Copying): Promise<CopyResult['blobs']> {
  const source = new DataSource({ type: 'postgres', url: job.database, schema: 'mirror' });
  await source.initialize();
  const claims = new SharedBlobClaims(
    { single: (work) => work(source.manager) },
    new BlobClaimStore(),
    job.leaseMs,
  );
  const registries = new Registries({
    settings: {
      [to.registry]: { insecure: true },
      [from.registry]: { insecure: true, bytesPerSecond: job.bytesPerSecond },
    },
  });
  try {
    const { blobs } = await new Copier(claims).copy({
      source: new RegistrySource(registries.repository(from)),
      reference: '1.0',
      target: registries.repository(to, 'push'),
      tags: ['1.0'],
    });
    return blobs;
  } finally {
    registries.close();
    await source.destroy();
  }
}

if (process.send !== undefined && process.argv[1] === import.meta.filename) {
  process.on('message', (job: Copying) => {
    void copyOnce(job).then((blobs) => process.send?.(blobs));
  });
  process.send('ready');
}
