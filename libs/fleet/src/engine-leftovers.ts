import { execFile } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { findProgram } from './find-program.js';
import { endProcess, identify, type ProcessIdentity } from './process-identity.js';

const run = promisify(execFile);

const ENGINE_PROGRAM = /(^|\/)(dockerd|containerd|containerd-shim[^/]*)$/;

/**
 * Ends what an engine that was killed leaves behind: its containerd, the shims, the containers under them, the mounts.
 * They are known by their programs and by the engine's own folder in their command lines, which no other engine has.
 */
export async function endLeftovers(runFolder: string): Promise<void> {
  const pids = readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number);
  const ours = pids.filter((pid) => {
    const [program = '', ...rest] = commandLine(pid);
    return (
      ENGINE_PROGRAM.test(program) && rest.some((argument) => argument.includes(`${runFolder}/`))
    );
  });
  const shims = new Set(ours.filter((pid) => /containerd-shim/.test(commandLine(pid)[0] ?? '')));
  const containers = pids.filter((pid) => shims.has(parentOf(pid) ?? -1));
  for (const identity of identities(containers)) await endProcess(identity, { signal: 'SIGKILL' });
  for (const identity of identities(ours)) {
    await endProcess(identity, { deadlineMs: 5_000 });
  }
  await unmountUnder(runFolder);
}

/** Unmounts everything at and below a folder, the deepest first. */
export async function unmountUnder(folder: string): Promise<void> {
  const umount = findProgram('umount');
  const mounts = readFileSync('/proc/self/mounts', 'utf8')
    .split('\n')
    .map((line) => line.split(' ')[1] ?? '')
    .filter((path) => path === folder || path.startsWith(`${folder}/`))
    .sort((a, b) => b.length - a.length);
  for (const path of umount === undefined ? [] : mounts) await run(umount ?? '', ['-l', path]);
}

function identities(pids: readonly number[]): ProcessIdentity[] {
  return pids.map((pid) => identify(pid)).filter((found) => found !== undefined);
}

function commandLine(pid: number): string[] {
  try {
    return readFileSync(`/proc/${pid}/cmdline`, 'utf8').split('\0');
  } catch {
    return []; // it ended in between
  }
}

function parentOf(pid: number): number | undefined {
  try {
    return Number(/^PPid:\s*(\d+)/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]);
  } catch {
    return undefined; // it ended in between
  }
}
