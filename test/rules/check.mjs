// Checks the dependency rules: first that each rule still sees a violation, then this tree. Exit code 1 when one is broken.
import { dirname, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';
import { selfTest } from './check.selftest.mjs';
import { readModules } from './modules.mjs';
import { RULES } from './rules.mjs';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..', '..');

selfTest();
const modules = readModules(root);
const violations = Object.entries(RULES).flatMap(([rule, check]) =>
  check(modules, root).map(({ file, message }) => `${file}: ${message} (${rule})`),
);
for (const violation of violations) console.error(violation);
// a check that read nothing has checked nothing
if (modules.length === 0) console.error(`no module found below ${root}`);
console.log(
  `${modules.length} modules, ${Object.keys(RULES).length} rules, ${violations.length} violations`,
);
process.exitCode = modules.length === 0 || violations.length > 0 ? 1 : 0;
