import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const { ModuleKind, ScriptTarget } = ts;
const compilerOptions = {
  ...{ module: ModuleKind.ESNext, target: ScriptTarget.ES2023 },
  ...{ experimentalDecorators: true, emitDecoratorMetadata: true, verbatimModuleSyntax: true },
};

// Node itself knows no decorators, and Nest needs what they write down of types
registerHooks({
  load(url, context, next) {
    if (!url.endsWith('.ts') || url.includes('/node_modules/')) return next(url, context);
    const source = readFileSync(fileURLToPath(url), 'utf8');
    const { outputText } = ts.transpileModule(source, { compilerOptions, fileName: url });
    return { format: 'module', source: outputText, shortCircuit: true };
  },
});
