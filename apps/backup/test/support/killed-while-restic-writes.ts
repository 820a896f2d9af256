// Writes an archive without end by restic, in a process of its own that is to be killed. Says `writing` on its standard output when restic has some of it.
import { randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import type { BackupKey } from '../../src/repository/backup-key.js';
import { FolderStore } from '../../src/repository/folder-store.js';
import { resticRepository } from './restic-repository.js';

const { root, key } = JSON.parse(process.argv[2] ?? '') as {
  readonly root: string;
  readonly key: BackupKey;
};
const MIB = 1024 * 1024;
const never = new AbortController().signal;
const folder = resticRepository(new FolderStore(root)).folder(key);
await folder.archives().make(never);
const attempt = await folder.begin(1, 'restic');
const endless = Readable.from(
  (async function* () {
    for (let sent = 0; sent < 40; sent += 1) yield randomBytes(MIB);
    process.stdout.write('writing\n');
    yield await Promise.withResolvers<Buffer>().promise;
  })(),
  { objectMode: false },
);
await attempt.writeArchive('data.tar', endless, never);
