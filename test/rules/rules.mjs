// The dependency rules of docs/architecture.md, each a function from the modules of a tree to what breaks it.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, statSync } from 'node:fs';
import { dirname, join } from 'node:path';
import ts from 'typescript';
import { findCycles } from './cycles.mjs';

/** Which libs a lib's sources may import. A lib that is not here has no place in the layout yet. */
const LIBS = {
  kernel: [],
  contracts: ['kernel'],
  saga: ['kernel', 'contracts'],
  bus: ['kernel', 'contracts'],
  persistence: ['kernel', 'contracts'],
  steps: ['kernel', 'contracts', 'bus', 'persistence', 'drivers/core'],
  'drivers/core': ['kernel', 'contracts'],
  'drivers/data': ['kernel', 'contracts', 'drivers/core'],
  'drivers/*': ['kernel', 'contracts', 'drivers/core', 'drivers/data'],
  source: ['kernel', 'contracts'],
  oci: ['kernel'],
  service: ['kernel', 'contracts', 'bus'],
  fleet: ['kernel', 'contracts'],
};

/** The one app that is no service: it talks to the API, and runs the embedded fleet. */
const CLIENT_LIBS = { cli: ['kernel', 'contracts', 'source', 'fleet', 'oci'] };

const IMPURE =
  /^(@nestjs\/|typeorm$|@nats-io\/|bullmq$|ioredis$|pg$|dockerode$|@kubernetes\/|undici$|node:(fs|net|http|https|child_process|process)(\/|$))/;

const MAY_READ_ENV = [
  /\/env\.ts$/,
  /^libs\/service\/src\/bootstrap\.ts$/,
  /^libs\/fleet\//,
  /^apps\/cli\//,
  /^(bench|test|examples)\//,
];

const MAIN_LINES = 30;

const libOf = (path) => /^libs\/(drivers\/[^/]+|[^/]+)\//.exec(path)?.[1];
const appOf = (path) => /^apps\/([^/]+)\//.exec(path)?.[1];
const importsOf = (modules) =>
  modules.flatMap((module) => module.imports.map((one) => ({ ...one, module })));
const at = ({ module, line }, message) => ({ file: `${module.path}:${line}`, message });

/** @type {Record<string, (modules: import('./modules.mjs').Module[], root: string) => { file: string, message: string }[]>} */
export const RULES = {
  'kernel imports nothing': (modules) =>
    importsOf(modules.filter(({ path, isTest }) => libOf(path) === 'kernel' && !isTest))
      .filter(({ specifier }) => !/^(\.|node:)/.test(specifier))
      .map((one) => at(one, `imports ${one.specifier}`)),

  'a lib imports only the libs below it': (modules) =>
    modules
      .filter(({ path, isTest }) => libOf(path) !== undefined && !isTest)
      .flatMap((module) => {
        const lib = libOf(module.path);
        const allowed = LIBS[lib] ?? (lib.startsWith('drivers/') ? LIBS['drivers/*'] : undefined);
        if (allowed === undefined)
          return [{ file: module.path, message: `${lib} has no place in the layout` }];
        return module.imports
          .filter(
            ({ target }) =>
              target !== undefined && libOf(target) !== undefined && libOf(target) !== lib,
          )
          .filter(({ target }) => !allowed.includes(libOf(target)))
          .map((one) => at({ ...one, module }, `${lib} imports ${one.specifier}`));
      }),

  'no app imports another, and no lib imports an app': (modules) =>
    importsOf(modules)
      .filter(
        ({ module, target }) =>
          /^(apps|libs)\//.test(module.path) && target !== undefined && appOf(target) !== undefined,
      )
      .filter(({ module, target }) => appOf(module.path) !== appOf(target))
      .map((one) => at(one, `imports ${one.specifier}`)),

  'services know no fleet, clients know no service lib': (modules) =>
    importsOf(modules)
      .filter(
        ({ module, target }) =>
          appOf(module.path) !== undefined &&
          !module.isTest &&
          target !== undefined &&
          libOf(target) !== undefined,
      )
      .filter(({ module, target }) => {
        const allowed = CLIENT_LIBS[appOf(module.path)];
        return allowed === undefined ? libOf(target) === 'fleet' : !allowed.includes(libOf(target));
      })
      .map((one) => at(one, `imports ${one.specifier}`)),

  'domain code and the engine are pure': (modules) =>
    importsOf(
      modules.filter(
        ({ path, isTest }) => /^(apps\/[^/]+\/src\/domain|libs\/saga\/src)\//.test(path) && !isTest,
      ),
    )
      .filter(({ specifier }) => IMPURE.test(specifier))
      .map((one) => at(one, `imports ${one.specifier}`)),

  'process.env is read in env.ts only': (modules) =>
    modules
      .filter(({ path, isTest }) => !isTest && !MAY_READ_ENV.some((allowed) => allowed.test(path)))
      .flatMap((module) =>
        envReads(module).map((line) => at({ module, line }, 'reads process.env')),
      ),

  'a lib is entered by its name': (modules) =>
    importsOf(modules).flatMap((one) => {
      const { module, specifier, target } = one;
      if (specifier.startsWith('#')) {
        if (libOf(target) !== specifier.slice(1))
          return [at(one, `${specifier} is not a lib's name`)];
        const itself = libOf(module.path) === libOf(target) && !module.isTest;
        return itself
          ? [at(one, `${specifier} imports itself by its name: use a relative path`)]
          : [];
      }
      const lib = target === undefined ? undefined : libOf(target);
      return lib === undefined || lib === libOf(module.path)
        ? []
        : [at(one, `${specifier} goes around #${lib}`)];
    }),

  'every import of ours leads to a module': (modules) => {
    const known = new Set(modules.map(({ path }) => path));
    return importsOf(modules)
      .filter(
        ({ target }) => target !== undefined && !known.has(target) && !/\.(json|mjs)$/.test(target),
      )
      .map((one) => at(one, `${one.specifier}: there is no ${one.target}`));
  },

  'no cycles': (modules) =>
    findCycles(modules).map((cycle) => ({
      file: cycle[0],
      message: [...cycle, cycle[0]].join(' -> '),
    })),

  'main.ts is at most 30 lines': (modules) =>
    modules
      .filter(({ path }) => /^apps\/[^/]+\/src\/main\.ts$/.test(path) && appOf(path) !== 'cli')
      .map(({ path, text }) => ({ file: path, lines: text.trimEnd().split('\n').length }))
      .filter(({ lines }) => lines > MAIN_LINES)
      .map(({ file, lines }) => ({ file, message: `has ${lines} lines` })),

  'package-lock.json names no registry': (_modules, root) => {
    const file = join(root, 'package-lock.json');
    if (!existsSync(file)) return [];
    const lines = readFileSync(file, 'utf8').split('\n');
    return lines.flatMap((line, i) =>
      /"resolved":\s*"(https?|git|ssh)/.test(line)
        ? [{ file: `package-lock.json:${i + 1}`, message: line.trim() }]
        : [],
    );
  },

  'no file in git names a folder of the machine it was made on': (_modules, root) => {
    const needles = machineFolders(root);
    return trackedFiles(root).flatMap((file) => {
      const text = readText(join(root, file));
      return needles
        .filter((needle) => text.includes(needle))
        .map((needle) => ({ file, message: `names ${needle}` }));
    });
  },
};

function envReads({ source }) {
  const lines = [];
  const visit = (node) => {
    const name = ts.isPropertyAccessExpression(node)
      ? node.name.text
      : ts.isElementAccessExpression(node) && ts.isStringLiteralLike(node.argumentExpression)
        ? node.argumentExpression.text
        : undefined;
    const reads =
      name === 'env' && /^(globalThis\.)?process$/.test(node.expression.getText(source));
    const imports =
      ts.isImportDeclaration(node) &&
      /^(node:)?process$/.test(node.moduleSpecifier.text) &&
      /\benv\b/.test(node.importClause?.getText(source) ?? '');
    if (reads || imports)
      lines.push(source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1);
    ts.forEachChild(node, visit);
  };
  visit(source);
  return lines;
}

/** Folders that every machine has, and that files may well name. */
const USUAL = new Set([
  '/',
  '/tmp',
  '/var',
  '/var/tmp',
  '/home',
  '/root',
  '/usr',
  '/opt',
  '/srv',
  '/etc',
  '/app',
  '/run',
  '/mnt',
]);

/** This checkout's folder, and the one around it. */
function machineFolders(root) {
  return [root, dirname(root)].filter((folder) => !USUAL.has(folder)).map((folder) => `${folder}/`);
}

function trackedFiles(root) {
  const list = execFileSync(
    'git',
    ['-C', root, 'ls-files', '-z', '--cached', '--others', '--exclude-standard'],
    { encoding: 'utf8' },
  );
  return list.split('\0').filter(Boolean);
}

function readText(path) {
  const found = statSync(path, { throwIfNoEntry: false });
  if (!found?.isFile() || found.size > 2 ** 20) return '';
  return readFileSync(path, 'utf8');
}
