import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { z } from 'zod';

/**
 * A process that can be told from a later one with the same pid: when it started, in clock ticks since boot, and
 * which boot that was (field 22 of /proc/<pid>/stat, see proc(5)).
 */
export const processIdentity = z.strictObject({
  pid: z.int().positive(),
  startTicks: z.string(),
  bootId: z.string(),
});
export type ProcessIdentity = Readonly<z.infer<typeof processIdentity>>;

function bootId(): string {
  return readFileSync('/proc/sys/kernel/random/boot_id', 'utf8').trim();
}

/** The identity of a running process; `undefined` when there is none, or only its remains (a zombie). */
export function identify(pid: number): ProcessIdentity | undefined {
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    // no such process, or one that ended while it was read: both mean that it does not run
    return undefined;
  }
  // the name in parentheses may itself hold blanks and parentheses
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const state = fields[0];
  const startTicks = fields[19];
  if (startTicks === undefined || state === 'Z' || state === 'X') return undefined;
  return { pid, startTicks, bootId: bootId() };
}

/** Whether this very process runs: never true for another one that was given its pid. */
export function isAlive(identity: ProcessIdentity): boolean {
  const found = identify(identity.pid);
  return (
    found !== undefined &&
    found.startTicks === identity.startTicks &&
    found.bootId === identity.bootId
  );
}

/** Sends a signal to this very process; `false` when it does not run any more. */
export function signalProcess(identity: ProcessIdentity, signal: NodeJS.Signals): boolean {
  if (!isAlive(identity)) return false;
  try {
    process.kill(identity.pid, signal);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ESRCH') return false;
    throw error;
  }
}

export interface EndOptions {
  /** First signal; SIGTERM unless said. */
  readonly signal?: NodeJS.Signals;
  /** Milliseconds until SIGKILL follows; default 10,000. */
  readonly deadlineMs?: number;
}

/**
 * Ends this very process, and only it: signal, then SIGKILL at the deadline. Returns when it is gone; says whether
 * it went by itself.
 */
export async function endProcess(
  identity: ProcessIdentity,
  { signal = 'SIGTERM', deadlineMs = 10_000 }: EndOptions = {},
): Promise<'was_gone' | 'ended' | 'killed'> {
  if (!signalProcess(identity, signal)) return 'was_gone';
  if (await gone(identity, deadlineMs)) return signal === 'SIGKILL' ? 'killed' : 'ended';
  signalProcess(identity, 'SIGKILL');
  if (!(await gone(identity, 10_000))) {
    throw new Error(
      `process ${identity.pid} does not end, not even by SIGKILL: see its state in /proc/${identity.pid}/status`,
    );
  }
  return 'killed';
}

async function gone(identity: ProcessIdentity, deadlineMs: number): Promise<boolean> {
  const deadline = performance.now() + deadlineMs;
  while (isAlive(identity)) {
    if (performance.now() >= deadline) return false;
    await delay(10);
  }
  return true;
}
