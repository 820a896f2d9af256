import { execFile } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { basename } from 'node:path';
import { promisify } from 'node:util';
import {
  archiverVersions,
  findProgram,
  optionalToolNames,
  PLAIN_ENV,
  programOf,
  toolNames,
  type DataTools,
  type OptionalTool,
  type Tool,
} from '#drivers/data';
import { LiftlockError } from '#kernel';

const run = promisify(execFile);

/** Folder of all that is ours in the helper: a volume that is mounted over `/usr` or `/lib` hides none of it. */
const HOME = '/.liftlock';

export interface ToolFile {
  /** Without a slash before, as in a tar. */
  readonly path: string;
  readonly content: Buffer;
}

export interface HelperTools extends DataTools {
  readonly files: readonly ToolFile[];
  /** Names the files' content: 16 hex digits. */
  readonly hash: string;
}

/**
 * The tools of this machine with the libraries they load, to be run by their own loader
 * (`ld.so --library-path …`, see ld.so(8)): nothing is pulled, and nothing is expected of the target's images.
 * @throws LiftlockError `misconfigured` naming the package that is missing.
 */
export async function collectTools(): Promise<HelperTools> {
  const files = new Map<string, Buffer>();
  const start: Partial<Record<Tool | OptionalTool, readonly string[]>> = {};
  const add = async (path: string, from: string): Promise<void> => {
    if (!files.has(path)) files.set(path, await readFile(from));
  };
  const bring = async (tool: Tool | OptionalTool, program: string): Promise<void> => {
    const { loader, libraries } = await linkedWith(program);
    const inside = `${HOME}/bin/${tool}`;
    await add(inside, program);
    for (const library of libraries) await add(`${HOME}/lib/${basename(library)}`, library);
    if (loader === undefined) {
      start[tool] = [inside];
    } else {
      const own = `${HOME}/lib/${basename(loader)}`;
      await add(own, loader);
      start[tool] = [own, '--library-path', `${HOME}/lib`, inside];
    }
  };
  for (const tool of toolNames) await bring(tool, await findProgram(tool));
  for (const tool of optionalToolNames) {
    const program = await programOf(tool);
    if (program !== undefined) await bring(tool, program);
  }
  const sorted = [...files].sort(([a], [b]) => (a < b ? -1 : 1));
  const hash = createHash('sha256');
  for (const [path, content] of sorted) hash.update(`${path}\0${content.length}\0`).update(content);
  return {
    files: sorted.map(([path, content]) => ({ path: path.slice(1), content })),
    hash: hash.digest('hex').slice(0, 16),
    start: start as HelperTools['start'],
    versions: await archiverVersions(),
  };
}

interface Linked {
  readonly loader: string | undefined;
  readonly libraries: readonly string[];
}

/** `ldd` prints `name => /path (address)` for a library, `/path (address)` for the loader. */
async function linkedWith(program: string): Promise<Linked> {
  let output: string;
  try {
    ({ stdout: output } = await run('ldd', [program], { env: PLAIN_ENV }));
  } catch (error) {
    const { stdout = '', stderr = '' } = error as { stdout?: string; stderr?: string };
    if (/not a dynamic executable|Not a valid dynamic program/.test(stdout + stderr))
      return { loader: undefined, libraries: [] };
    throw new LiftlockError(
      'misconfigured',
      `the libraries of ${program} cannot be told: ldd failed (apt-get install libc-bin): ${stderr.trim()}`,
      { cause: error },
    );
  }
  if (/statically linked/.test(output)) return { loader: undefined, libraries: [] };
  const libraries = [...output.matchAll(/=> (\/\S+) \(/g)].map(([, path]) => path ?? '');
  const loader = /^\s*(\/\S*ld\S*) (?:=> \S+ )?\(/m.exec(output)?.[1];
  return { loader, libraries };
}
