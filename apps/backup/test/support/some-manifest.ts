import { sealManifest, type Manifest } from '../../src/domain/manifest.js';
import type { BackupKey } from '../../src/repository/backup-key.js';
import type { StoredArchive } from '../../src/repository/store.js';

/** A manifest of one file, `/data/payroll.db`. */
export function someManifest(
  key: BackupKey,
  archive: StoredArchive & { readonly format?: string },
  token = 1,
): Manifest {
  const at = '2026-01-02T03:04:05.000Z';
  return sealManifest({
    version: archive.restic === undefined ? 2 : 6,
    ...key,
    instance: 'web@docker-1',
    stepId: 'h1/w1/web@docker-1/snapshot',
    token,
    createdAt: at,
    consistency: 'stopped',
    source: {
      target: { name: 'docker-1', driver: 'docker', site: 'main', endpoint: 'unix:///x' },
      container: 'web',
      containerId: 'c'.repeat(64),
      paths: ['/data'],
    },
    quiesced: { how: 'stopped', ran: [], startedAt: at, endedAt: at },
    archive: { format: 'tar.zst', tools: { tar: 'x' }, ...archive },
    files: 1,
    bytes: 3,
    counts: { file: 1 },
    spaceBytes: 4_096,
    entries: [
      {
        ...{ path: '/data/payroll.db', type: 'file', mode: '0600', uid: 0, gid: 0, size: 3 },
        ...{ mtime: '1.000000000', sha256: `sha256:${'0'.repeat(64)}` },
      },
    ],
  });
}
