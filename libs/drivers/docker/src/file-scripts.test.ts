import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { FILE_EXIT, writeFilesScript } from './file-scripts.js';
import type { HelperTools } from './helper-tools.js';

const folder = mkdtempSync(join(tmpdir(), 'liftlock-file-scripts-'));
afterAll(() => rmSync(folder, { recursive: true }));

test.each([
  ['kill -KILL $$', 137],
  ['kill -TERM $$', 143],
  ['exit 2', FILE_EXIT.unpacking],
])('an unpacking that ends with "%s" is told as %i: what was ended has not failed', (end, code) => {
  const start = {
    rm: ['rm'],
    cat: ['cat'],
    mv: ['mv'],
    sync: ['sync'],
    tar: ['/bin/sh', '-c', end, '-'],
  };
  const tools: HelperTools = {
    ...{ files: [], hash: '', versions: {} },
    start: start as unknown as HelperTools['start'],
  };
  const script = writeFilesScript(tools, [{ path: join(folder, 'file'), isOurs: false }]);
  expect(spawnSync('/bin/sh', ['-c', script], { stdio: 'ignore' }).status).toBe(code);
});
