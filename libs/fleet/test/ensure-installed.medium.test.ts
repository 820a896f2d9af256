import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { ensureInstalled } from '#fleet';
import { newFolder } from '../../../test/support/shared-servers.js';
import { install } from '../src/ensure-installed.js';

const folder = newFolder('install');
const logFile = join(folder, 'apt.log');
afterAll(() => rmSync(folder, { recursive: true }));

describe('what is missing', () => {
  test('nothing is: apt-get is not even called', async () => {
    await ensureInstalled({ logFile });
    expect(existsSync(logFile)).toBe(false);
  });

  test('and cannot be had: one line names it and the command', async () => {
    const unknown = {
      what: 'frobnicator',
      packages: ['liftlock-has-no-such-package'],
      present: () => false,
    };
    const line = await install([unknown], { logFile }).catch((error: unknown) => String(error));
    expect(line).toMatch(/missing: frobnicator.*apt-get install .*liftlock-has-no-such-package/);
    expect(line).not.toContain('\n');
  });
});
