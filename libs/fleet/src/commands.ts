import { existsSync } from 'node:fs';
import { ensureFleet, type EnsureFleetOptions } from './ensure-fleet.js';
import { lockHolder, takeLock } from './fleet-lock.js';
import { newState, readState, stateFile } from './fleet-state.js';
import { fleetStatus, type StatusRow } from './fleet-status.js';
import { stopFleet } from './fleet-stop.js';
import { interruptible, Interrupted } from './interrupt.js';
import { endProcess } from './process-identity.js';
import { fleetFolder } from './root-folder.js';

/** Where a command's lines go; the process's standard output unless said. */
export interface CommandOptions {
  readonly folder?: string;
  readonly log?: (line: string) => void;
}

const print = (line: string): void => void process.stdout.write(`${line}\n`);

/** `liftlock up`: returns the exit code. @throws LiftlockError with one line that says what to do. */
export async function runUp(options: EnsureFleetOptions = {}): Promise<number> {
  const log = options.log ?? print;
  const began = performance.now();
  try {
    const fleet = await interruptible(
      (signal) => ensureFleet({ ...options, log, signal }),
      () => log('interrupted: stopping what was started'),
    );
    const seconds = ((performance.now() - began) / 1000).toFixed(1);
    log(fleet.wasUp ? `already up: ${fleet.url}` : `up in ${seconds} s: ${fleet.url}`);
    if (fleet.engineHost !== undefined) log(`Docker Engine: ${fleet.engineHost}`);
    return 0;
  } catch (error) {
    if (!(error instanceof Interrupted)) throw error;
    log('interrupted: nothing that was started is left running');
    return error.exitCode;
  }
}

/** `liftlock down`: nothing of the fleet runs afterwards; data stays. Returns the exit code. */
export async function runDown({
  folder = fleetFolder(),
  log = print,
}: CommandOptions = {}): Promise<number> {
  // an `up` that is at work cleans up behind itself when it is interrupted
  const holder = lockHolder(folder);
  if (holder !== undefined) {
    log(`interrupting the up that is at work (pid ${holder.pid})`);
    await endProcess(holder, { signal: 'SIGINT', deadlineMs: 60_000 });
  }
  if (!existsSync(stateFile(folder))) {
    log('not up');
    return 0;
  }
  const lock = takeLock(folder);
  if (lock === undefined) {
    log(
      `another up or down is at work (pid ${lockHolder(folder)?.pid ?? 'gone'}): try again when it has ended`,
    );
    return 1;
  }
  try {
    const state = readState(folder) ?? newState();
    const ended = await stopFleet(folder, state);
    log(ended === 0 ? 'not up' : `down: ${ended} processes ended, data kept in ${folder}`);
    return 0;
  } finally {
    lock.release();
  }
}

/** `liftlock ps`: exit code 0 when all of it runs, 1 when some or all does not. */
export async function runPs({
  folder = fleetFolder(),
  log = print,
}: CommandOptions = {}): Promise<number> {
  const rows = await psRows(folder);
  if (rows.length === 0) {
    log('not up');
    return 1;
  }
  const widths = { name: 13, status: 10, pid: 9 };
  log(
    `${'NAME'.padEnd(widths.name)}${'STATUS'.padEnd(widths.status)}${'PID'.padEnd(widths.pid)}ADDRESS`,
  );
  for (const { name, status, pid, port } of rows) {
    const address = port === undefined ? '' : `127.0.0.1:${port}`;
    log(
      `${name.padEnd(widths.name)}${status.padEnd(widths.status)}${String(pid ?? '-').padEnd(widths.pid)}${address}`.trimEnd(),
    );
  }
  return rows.every(({ status }) => status === 'running') ? 0 : 1;
}

/** The rows of `liftlock ps`, for `-o json`; none when there is no fleet. */
export async function psRows(folder: string = fleetFolder()): Promise<StatusRow[]> {
  const state = readState(folder);
  return state === undefined ? [] : fleetStatus(state);
}
