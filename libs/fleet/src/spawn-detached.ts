import { spawn } from 'node:child_process';
import { closeSync, existsSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import { LiftlockError } from '#kernel';
import { identify, type ProcessIdentity } from './process-identity.js';

export interface RunAs {
  readonly uid: number;
  readonly gid: number;
}

export interface SpawnRequest {
  readonly file: string;
  readonly args: readonly string[];
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Standard output and error are appended here. */
  readonly logFile: string;
  /** Another user to run as; only root can. */
  readonly runAs?: RunAs | undefined;
  /**
   * A signal that the kernel sends to the process when the one that started it dies, however that died
   * (PR_SET_PDEATHSIG of prctl(2)). Unset: it outlives its starter.
   */
  readonly tiedBy?: NodeJS.Signals | undefined;
}

/** Starts a process in a session of its own, so that a terminal's Ctrl-C does not reach it, and says who it is. */
export async function spawnDetached(request: SpawnRequest): Promise<ProcessIdentity> {
  mkdirSync(dirname(request.logFile), { recursive: true });
  const log = openSync(request.logFile, 'a', 0o600);
  try {
    const { file, args, uid, gid } = command(request);
    const child = spawn(file, args, {
      cwd: request.cwd,
      env: { ...(request.env ?? process.env) },
      detached: true,
      stdio: ['ignore', log, log],
      ...(uid === undefined ? {} : { uid }),
      ...(gid === undefined ? {} : { gid }),
    });
    await new Promise<void>((resolve, reject) => {
      child.once('spawn', resolve);
      child.once('error', (cause) => {
        reject(
          new LiftlockError(
            'misconfigured',
            `${request.file} cannot be started: ${cause.message}`,
            { cause },
          ),
        );
      });
    });
    child.unref();
    const identity = child.pid === undefined ? undefined : identify(child.pid);
    if (identity === undefined) {
      throw new EndedAtOnce(`${request.file} ended at once: see ${request.logFile}`);
    }
    return identity;
  } finally {
    closeSync(log);
  }
}

/** It ran, and was over before it could be looked at: its log says why. */
export class EndedAtOnce extends LiftlockError {
  constructor(message: string) {
    super('unavailable', message);
  }
}

const SETPRIV = '/usr/bin/setpriv';

function command({ file, args, runAs, tiedBy }: SpawnRequest): {
  file: string;
  args: string[];
  uid?: number;
  gid?: number;
} {
  if (tiedBy === undefined || !existsSync(SETPRIV)) return { file, args: [...args], ...runAs };
  // setpriv sets the signal after it has changed the user: a change of user would clear it
  const user = runAs
    ? ['--reuid', String(runAs.uid), '--regid', String(runAs.gid), '--clear-groups']
    : [];
  return {
    file: SETPRIV,
    args: [...user, '--pdeathsig', tiedBy.replace('SIG', ''), '--', file, ...args],
  };
}
