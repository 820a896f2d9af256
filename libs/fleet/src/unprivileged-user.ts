import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import type { RunAs } from './spawn-detached.js';

/** PostgreSQL refuses to run as root: whom it runs as then. `undefined` when we are not root ourselves. */
export function unprivilegedUser(): RunAs | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const lines = readFileSync('/etc/passwd', 'utf8').split('\n');
  for (const name of ['postgres', 'nobody']) {
    const [, , uid, gid] = lines.find((line) => line.startsWith(`${name}:`))?.split(':') ?? [];
    if (uid !== undefined && gid !== undefined) return { uid: Number(uid), gid: Number(gid) };
  }
  // any number does: no entry is needed to own files
  return { uid: 65_534, gid: 65_534 };
}

/** Whether a user can walk to this folder: asked of the kernel, since modes, ACLs and mounts all count. */
export function canEnter(user: RunAs, folder: string): boolean {
  return (
    spawnSync('/bin/sh', ['-c', 'cd "$1"', 'sh', folder], {
      uid: user.uid,
      gid: user.gid,
      cwd: '/',
      stdio: 'ignore',
    }).status === 0
  );
}
