// Reads every TypeScript module of a tree with the compiler's own parser: what it imports, and whether only as a type.
import { readFileSync, readdirSync, statSync } from 'node:fs';
import { dirname, join, normalize, relative } from 'node:path';
import ts from 'typescript';

const FOLDERS = ['apps', 'libs', 'test', 'bench', 'examples'];
const SKIPPED = new Set(['node_modules', 'dist', '.liftlock', 'coverage']);

/** @typedef {{ specifier: string, line: number, typeOnly: boolean, target: string | undefined }} Import */
/** @typedef {{ path: string, text: string, source: import('typescript').SourceFile, imports: Import[], isTest: boolean }} Module */

/** @returns {Module[]} */
export function readModules(root) {
  const paths = FOLDERS.flatMap((folder) => walk(join(root, folder))).map((path) =>
    relative(root, path),
  );
  const known = new Set(paths);
  return paths.map((path) => {
    const text = readFileSync(join(root, path), 'utf8');
    const source = ts.createSourceFile(path, text, ts.ScriptTarget.Latest, true);
    const imports = importsOf(source).map((one) => ({
      ...one,
      target: targetOf(path, one.specifier, known),
    }));
    return { path, text, source, imports, isTest: isTest(path) };
  });
}

export function isTest(path) {
  return /\.test\.ts$/.test(path) || /^test\//.test(path) || /^(apps|libs)\/.*\/test\//.test(path);
}

function walk(folder) {
  if (!statSync(folder, { throwIfNoEntry: false })?.isDirectory()) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return SKIPPED.has(entry.name) ? [] : walk(path);
    return /\.ts$/.test(entry.name) && !/\.d\.ts$/.test(entry.name) ? [path] : [];
  });
}

function importsOf(source) {
  const found = [];
  const add = (node, specifier, typeOnly) => {
    const { line } = source.getLineAndCharacterOfPosition(node.getStart(source));
    found.push({ specifier, line: line + 1, typeOnly });
  };
  const visit = (node) => {
    if (ts.isImportDeclaration(node) && ts.isStringLiteral(node.moduleSpecifier)) {
      add(node, node.moduleSpecifier.text, isTypeImport(node.importClause));
    } else if (
      ts.isExportDeclaration(node) &&
      node.moduleSpecifier &&
      ts.isStringLiteral(node.moduleSpecifier)
    ) {
      add(node, node.moduleSpecifier.text, node.isTypeOnly);
    } else if (
      ts.isCallExpression(node) &&
      isImportCall(node) &&
      ts.isStringLiteralLike(node.arguments[0])
    ) {
      add(node, node.arguments[0].text, false);
    } else if (ts.isImportTypeNode(node) && ts.isLiteralTypeNode(node.argument)) {
      add(node, node.argument.literal.text, true);
    }
    ts.forEachChild(node, visit);
  };
  visit(source);
  return found;
}

function isImportCall({ expression, arguments: [argument] }) {
  const named = ts.isIdentifier(expression) && expression.text === 'require';
  return argument !== undefined && (expression.kind === ts.SyntaxKind.ImportKeyword || named);
}

function isTypeImport(clause) {
  if (clause === undefined) return false;
  if (clause.isTypeOnly) return true;
  const names = clause.namedBindings;
  return (
    clause.name === undefined &&
    names !== undefined &&
    ts.isNamedImports(names) &&
    names.elements.length > 0 &&
    names.elements.every((element) => element.isTypeOnly)
  );
}

/** The file of this tree that a specifier means; `undefined` for packages. */
function targetOf(from, specifier, known) {
  if (specifier.startsWith('#')) return `libs/${specifier.slice(1)}/src/index.ts`;
  if (!specifier.startsWith('.')) return undefined;
  const path = normalize(join(dirname(from), specifier));
  const candidates = [path.replace(/\.js$/, '.ts'), path, `${path}.ts`, join(path, 'index.ts')];
  return candidates.find((one) => known.has(one)) ?? path;
}
