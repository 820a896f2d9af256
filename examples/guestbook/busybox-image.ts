import { readFileSync } from 'node:fs';
import { pack } from 'tar-stream';
import { findProgram } from '#fleet';
import { LiftlockError } from '#kernel';

const FOLDERS = ['bin/', 'data/', 'tmp/', 'etc/', 'proc/', 'dev/', 'sys/'];
const APPLETS = [
  ...['sh', 'httpd', 'sleep', 'cat', 'kill', 'echo', 'mkdir', 'dd', 'seq', 'ls', 'ln', 'rm', 'wc'],
  ...['chmod', 'chown', 'printf', 'find', 'stat', 'sort', 'sha256sum'],
];

/** The root file system of an image that is Debian's busybox-static and a start script, as `docker import` takes it: nothing is pulled. */
export async function busyboxRoot(script: string): Promise<Buffer> {
  const busybox = findProgram('busybox');
  if (busybox === undefined)
    throw new LiftlockError('misconfigured', 'busybox is missing: apt-get install busybox-static');
  const tar = pack();
  for (const name of FOLDERS) tar.entry({ name, type: 'directory', mode: 0o755 });
  tar.entry({ name: 'bin/busybox', mode: 0o755 }, readFileSync(busybox));
  for (const applet of APPLETS)
    tar.entry({ name: `bin/${applet}`, type: 'symlink', linkname: 'busybox' });
  tar.entry({ name: 'start.sh', mode: 0o755 }, script);
  tar.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of tar) chunks.push(chunk as Buffer);
  return Buffer.concat(chunks);
}

/** What `docker import --change` is told: how the image is started. */
export const IMAGE_CHANGES = ['CMD ["/start.sh"]'] as const;
