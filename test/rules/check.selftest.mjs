// Sees each rule go red: a small tree that keeps every rule, and for each rule one change that breaks this one only.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { readModules } from './modules.mjs';
import { RULES } from './rules.mjs';

const CLEAN = {
  'libs/kernel/src/index.ts': "export { now } from './clock.js';\nimport 'node:crypto';\n",
  'libs/kernel/src/clock.ts':
    'export const now = () => 0;\n// process.env in a comment reads nothing\n',
  'libs/contracts/src/index.ts':
    "import { now } from '#kernel';\nimport { z } from 'zod';\nexport { now, z };\n",
  'libs/bus/src/index.ts': "export * from '#contracts';\n",
  'libs/persistence/src/index.ts': "export * from '#contracts';\n",
  'libs/fleet/src/index.ts': 'export const path = process.env["PATH"];\n',
  'libs/drivers/core/src/index.ts': "export * from '#contracts';\n",
  'libs/drivers/docker/src/index.ts': "export * from '#drivers/core';\n",
  'libs/drivers/docker/test/a.test.ts':
    "import { test } from 'vitest';\nimport '#drivers/docker';\nimport '#fleet';\n",
  'apps/one/src/main.ts': "import '#bus';\nimport './env.js';\n",
  'apps/one/src/env.ts':
    "import type { b } from './b.js';\nexport const a = (x: b) => process.env['A'] ?? x;\n",
  'apps/one/src/b.ts': "import { a } from './env.js';\nexport type b = string;\nexport { a };\n",
  'apps/one/src/domain/pure.ts': "export { now } from '#kernel';\n",
  'apps/two/src/main.ts': 'export const two = 2;\n',
  'apps/cli/src/main.ts': "import '#fleet';\n",
  'package-lock.json':
    '{ "packages": { "node_modules/a": { "version": "1.0.0", "integrity": "sha512-x" } } }\n',
};

/** For each rule, files that break it: `ROOT` stands for the tree's own folder. */
const BROKEN = {
  'kernel imports nothing': [
    { 'libs/kernel/src/clock.ts': "import { z } from 'zod';\nexport const now = z;\n" },
  ],
  'a lib imports only the libs below it': [
    { 'libs/bus/src/index.ts': "export * from '#persistence';\n" },
    { 'libs/drivers/docker/src/index.ts': "export * from '#bus';\n" },
    { 'libs/contracts/src/index.ts': "export type { x } from '#fleet';\n" },
    { 'libs/other/src/index.ts': 'export const other = 1;\n' },
  ],
  'no app imports another, and no lib imports an app': [
    { 'apps/one/src/b.ts': "export { two } from '../../two/src/main.js';\n" },
    { 'libs/bus/src/index.ts': "export { two } from '../../../apps/two/src/main.js';\n" },
  ],
  'services know no fleet, clients know no service lib': [
    { 'apps/one/src/b.ts': "import '#fleet';\n" },
    { 'apps/cli/src/main.ts': "const bus = await import('#bus');\nexport { bus };\n" },
  ],
  'domain code and the engine are pure': [
    {
      'apps/one/src/domain/pure.ts':
        "import { Injectable } from '@nestjs/common';\nexport { Injectable };\n",
    },
    {
      'apps/one/src/domain/pure.ts':
        "import { readFileSync } from 'node:fs';\nexport { readFileSync };\n",
    },
  ],
  'process.env is read in env.ts only': [
    { 'apps/one/src/b.ts': "export const b = process.env['B'];\n" },
    { 'apps/one/src/b.ts': "export const { B } = process['env'];\n" },
    { 'apps/one/src/b.ts': "import { env } from 'node:process';\nexport { env };\n" },
  ],
  'a lib is entered by its name': [
    { 'apps/one/src/b.ts': "export { now } from '../../../libs/kernel/src/clock.js';\n" },
    {
      'libs/contracts/src/index.ts': "export * from './x.js';\n",
      'libs/contracts/src/x.ts': "import type { y } from '#contracts';\nexport type x = y;\n",
    },
  ],
  'every import of ours leads to a module': [{ 'apps/one/src/b.ts': "import './not-there.js';\n" }],
  'no cycles': [
    { 'apps/one/src/b.ts': "import './c.js';\n", 'apps/one/src/c.ts': "import './b.js';\n" },
  ],
  'main.ts is at most 30 lines': [
    { 'apps/one/src/main.ts': `${'// line\n'.repeat(31)}export {};\n` },
  ],
  'package-lock.json names no registry': [
    { 'package-lock.json': '{\n"resolved": "https://registry.example/a.tgz"\n}\n' },
  ],
  'no file in git names a folder of the machine it was made on': [
    { 'docs/a.md': 'see ROOT/libs\n' },
  ],
};

/** @throws Error when a rule does not see its violation, or sees one where there is none. */
export function selfTest() {
  expectRules('the clean tree', CLEAN, []);
  for (const rule of Object.keys(RULES)) {
    const cases = BROKEN[rule] ?? [];
    if (cases.length === 0) throw new Error(`self-test: no case breaks the rule "${rule}"`);
    for (const files of cases)
      expectRules(`a tree that breaks "${rule}"`, { ...CLEAN, ...files }, [rule]);
  }
  const empty = withTree({}, (root) => readModules(root).length);
  if (empty !== 0) throw new Error('self-test: modules found in an empty tree');
}

function expectRules(what, files, expected) {
  const seen = withTree(files, (root) => {
    const modules = readModules(root);
    return Object.keys(RULES).filter((rule) => RULES[rule](modules, root).length > 0);
  });
  if (seen.join() !== expected.join()) {
    throw new Error(`self-test: ${what}: expected [${expected.join()}], seen [${seen.join()}]`);
  }
}

function withTree(files, use) {
  const root = mkdtempSync(join(tmpdir(), 'liftlock-rules-'));
  try {
    execFileSync('git', ['init', '-q', root]);
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(root, path)), { recursive: true });
      writeFileSync(join(root, path), text.replace('ROOT', root));
    }
    return use(root);
  } finally {
    rmSync(root, { recursive: true, force: true });
  }
}
