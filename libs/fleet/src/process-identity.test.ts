import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, test } from 'vitest';
import { endProcess, identify, isAlive, signalProcess } from './process-identity.js';

function sleeper(): { pid: number; ended: Promise<unknown> } {
  const child = spawn('/bin/sh', ['-c', 'exec sleep 600'], { stdio: 'ignore' });
  if (child.pid === undefined) throw new Error('no sleeper');
  return { pid: child.pid, ended: once(child, 'exit') };
}

describe('who a process is', () => {
  test('a later process with the same pid is another one, and gets no signal', async () => {
    const { pid, ended } = sleeper();
    const identity = identify(pid);
    if (identity === undefined) throw new Error('it runs');
    const earlier = { ...identity, startTicks: String(Number(identity.startTicks) - 1) };
    const otherBoot = { ...identity, bootId: 'other' };
    for (const stranger of [earlier, otherBoot]) {
      expect(isAlive(stranger)).toBe(false);
      expect(signalProcess(stranger, 'SIGKILL')).toBe(false);
      expect(await endProcess(stranger)).toBe('was_gone');
    }
    expect(isAlive(identity)).toBe(true);
    expect(await endProcess(identity)).toBe('ended');
    await ended;
  });

  test('one that will not end is killed at the deadline', async () => {
    const child = spawn('/bin/sh', [
      '-c',
      'trap "" TERM; echo ready; while :; do sleep 0.05; done',
    ]);
    await once(child.stdout, 'data');
    const ended = once(child, 'exit');
    const identity = identify(child.pid ?? 0);
    if (identity === undefined) throw new Error('it runs');
    expect(await endProcess(identity, { deadlineMs: 200 })).toBe('killed');
    expect(isAlive(identity)).toBe(false);
    await ended;
  });

  test('no process has no identity', () => {
    expect(identify(2 ** 22 + 1)).toBeUndefined();
  });
});
