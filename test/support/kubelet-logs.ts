import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

/**
 * In place of `setsid`, by which a cluster's programs are started: each kubelet has a `/var/log/pods` of its own, as on a machine of its own.
 * Where several share the folder, each removes the logs of pods that it does not know, once a minute.
 */
const SETSID = `#!/bin/sh
PATH=\${PATH#*:}
case "$1" in */kubelet) ;; *) exec setsid "$@" ;; esac
logs=$(mktemp -d "\${0%/*}/logs-XXXXXX")
exec setsid unshare --mount --propagation unchanged sh -c '
  mount --make-private / && mount --bind "$0" /var/log/pods && exec "$@"' "$logs" "$@"
`;

const UNMOUNT = '! mountpoint -q "$0" || umount --lazy "$0"';

/** Mounts the folder onto itself, so that what kubelets mount in it is seen outside, too, where the engines run. */
export async function separateLogs(
  folder: string,
): Promise<{ readonly path: string; remove(): Promise<void> }> {
  const bin = join(folder, 'bin');
  mkdirSync('/var/log/pods', { recursive: true });
  await run('mount', ['--bind', folder, folder]);
  await run('mount', ['--make-shared', folder]);
  mkdirSync(bin);
  writeFileSync(join(bin, 'setsid'), SETSID);
  chmodSync(join(bin, 'setsid'), 0o755);
  return {
    path: `${bin}:${process.env['PATH'] ?? ''}`,
    // kube-down takes mounts away, where nobody holds them
    remove: async () => void (await run('sh', ['-c', UNMOUNT, folder])),
  };
}
