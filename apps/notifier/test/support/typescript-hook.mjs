// Lets a child process run a service from its sources: Node strips types, but knows no decorators.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { createRequire, registerHooks } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** What one child has translated the next one finds here. */
const folder = process.env.TRANSLATED ?? '.';
const require = createRequire(import.meta.url);

registerHooks({
  resolve(specifier, context, next) {
    const ours = context.parentURL?.endsWith('.ts') && specifier.startsWith('.');
    return next(ours ? specifier.replace(/\.js$/, '.ts') : specifier, context);
  },
  load(url, context, next) {
    if (!url.endsWith('.ts')) return next(url, context);
    return { format: 'module', source: translated(fileURLToPath(url)), shortCircuit: true };
  },
});

function translated(fileName) {
  const text = readFileSync(fileName, 'utf8');
  const known = join(folder, `${createHash('sha256').update(text).digest('hex')}.js`);
  if (existsSync(known)) return readFileSync(known, 'utf8');
  const ts = require('typescript');
  const { outputText } = ts.transpileModule(text, {
    fileName,
    compilerOptions: {
      module: ts.ModuleKind.ESNext,
      target: ts.ScriptTarget.ES2024,
      experimentalDecorators: true,
      emitDecoratorMetadata: true,
      useDefineForClassFields: false,
    },
  });
  // several children may be at it
  writeFileSync(`${known}.${process.pid}`, outputText);
  renameSync(`${known}.${process.pid}`, known);
  return outputText;
}
