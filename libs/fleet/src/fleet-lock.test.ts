import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { lockFile, lockHolder, takeLock } from './fleet-lock.js';
import { identify } from './process-identity.js';

let folder: string;
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-lock-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

describe('the right to change the fleet', () => {
  test('one has it at a time, and the next one when it is released', () => {
    const first = takeLock(folder);
    expect(takeLock(folder)).toBeUndefined();
    expect(lockHolder(folder)?.pid).toBe(process.pid);
    first?.release();
    expect(takeLock(folder)).toBeDefined();
  });

  test('a holder that died without releasing it has lost it, also when its pid was given to another', () => {
    const me = identify(process.pid);
    writeFileSync(lockFile(folder), JSON.stringify({ ...me, startTicks: '1' }));
    expect(lockHolder(folder)).toBeUndefined();
    const lock = takeLock(folder);
    expect(lock).toBeDefined();
    lock?.release();
    expect(readdirSync(folder)).toEqual([]);
  });

  test("a damaged lock is nobody's", () => {
    writeFileSync(lockFile(folder), '{"pid":');
    takeLock(folder)?.release();
    expect(existsSync(lockFile(folder))).toBe(false);
  });
});
