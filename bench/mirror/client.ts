import { spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export interface ClientRun {
  readonly wallMs: number;
  /** User and system time. */
  readonly cpuMs: number;
  readonly peakMiB: number;
}

/** GNU time's answer: seconds, seconds, KiB. */
const FORMAT = '%U %S %M';
const DEADLINE_MS = 10 * 60_000;

/** Runs a client as a process of its own, from its start to its end. @throws when it fails */
export async function runClient(
  file: string,
  args: readonly string[],
  env: NodeJS.ProcessEnv = {},
): Promise<ClientRun> {
  const folder = mkdtempSync(join(tmpdir(), 'liftlock-bench-client-'));
  try {
    const measured = join(folder, 'time');
    const began = performance.now();
    await new Promise<void>((resolve, reject) => {
      const child = spawn('/usr/bin/time', ['-o', measured, '-f', FORMAT, file, ...args], {
        env: { ...process.env, ...env },
        stdio: ['ignore', 'ignore', 'pipe'],
        timeout: DEADLINE_MS,
      });
      let said = '';
      child.stderr.setEncoding('utf8').on('data', (text: string) => (said += text));
      child.once('error', reject);
      child.once('close', (code) => {
        if (code === 0) resolve();
        else
          reject(new Error(`${file} ${args.join(' ')} ended with ${code}: ${said.slice(-1_000)}`));
      });
    });
    const wallMs = performance.now() - began;
    const [user = 0, system = 0, kib = 0] =
      readFileSync(measured, 'utf8').trim().split('\n').at(-1)?.split(' ').map(Number) ?? [];
    return { wallMs, cpuMs: (user + system) * 1_000, peakMiB: kib / 1024 };
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** skopeo without the memory of where it saw which blob: that would make a cold run a warm one. */
export async function runSkopeo(args: readonly string[]): Promise<ClientRun> {
  const home = mkdtempSync(join(tmpdir(), 'liftlock-bench-skopeo-'));
  try {
    return await runClient('skopeo', args, { XDG_DATA_HOME: home, _CONTAINERS_ROOTLESS_UID: '1' });
  } finally {
    rmSync(home, { recursive: true, force: true });
  }
}

/** The CLI as it is installed, without the launcher, which looks whether there is something to build. */
export function runLiftlock(args: readonly string[]): Promise<ClientRun> {
  return runClient(process.execPath, [
    join(process.cwd(), 'dist/apps/cli/src/main.js'),
    'mirror',
    ...args,
  ]);
}

export function writeLines(folder: string, name: string, text: string): string {
  const file = join(folder, name);
  writeFileSync(file, text);
  return file;
}
