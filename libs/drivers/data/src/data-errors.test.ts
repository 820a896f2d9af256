import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { dataError } from './data-errors.js';
import { readScript } from './data-scripts.js';
import type { DataTools } from './data-tools.js';

const folder = mkdtempSync(join(tmpdir(), 'liftlock-errors-'));
writeFileSync(join(folder, 'file'), 'content');
afterAll(() => rmSync(folder, { recursive: true }));

const ENDS_WELL = ['/bin/sh', '-c', 'cat >/dev/null', '-'];

/** Exit code of a reading whose tools end so. */
function readWith(tar: readonly string[], zstd: readonly string[]): number | null {
  const start = { find: ['find'], tar, zstd } as unknown as DataTools['start'];
  const tools: DataTools = { start, versions: {} };
  const script = readScript(tools, { mounts: [], paths: [folder] });
  return spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore' }).status;
}

test.each([
  ['KILL', 137],
  ['TERM', 143],
])(
  'a tool that was ended by SIG%s says nothing of the data, whichever it is',
  (signal, exitCode) => {
    const ended = ['/bin/sh', '-c', `kill -${signal} $$`, '-'];
    expect(readWith(ENDS_WELL, ENDS_WELL)).toBe(0);
    expect(readWith(ended, ENDS_WELL)).toBe(exitCode);
    expect(readWith(ENDS_WELL, ended)).toBe(exitCode);
    for (const direction of ['read', 'write'] as const)
      expect(dataError('it', direction)(exitCode, '')).toMatchObject({
        ...{ code: 'target_unreachable', retryable: true },
      });
  },
);
