import { execFile } from 'node:child_process';
import { access, constants } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { LiftlockError } from '#kernel';

const run = promisify(execFile);

/** Where Debian and others put programs. */
const FOLDERS = ['/usr/local/bin', '/usr/bin', '/bin', '/usr/sbin', '/sbin'];
/** Of the programs that are run here: their words are read. */
export const PLAIN_ENV = { PATH: FOLDERS.join(':'), LC_ALL: 'C' };

/** What the scripts need, with the Debian package that brings it. */
export const TOOLS = {
  tar: 'tar',
  zstd: 'zstd',
  find: 'findutils',
  xargs: 'findutils',
  sha256sum: 'coreutils',
  sync: 'coreutils',
  cat: 'coreutils',
  cp: 'coreutils',
  mv: 'coreutils',
  mkdir: 'coreutils',
  rm: 'coreutils',
  touch: 'coreutils',
  stat: 'coreutils',
  sh: 'dash',
} as const;
export type Tool = keyof typeof TOOLS;
export const toolNames = Object.keys(TOOLS) as Tool[];

/** What they can do without, with the Debian package that brings it: extended attributes are not listed then; hashing takes several times as long. */
const OPTIONAL_TOOLS = { getfattr: 'attr', openssl: 'openssl' } as const;
export type OptionalTool = keyof typeof OPTIONAL_TOOLS;
export const optionalToolNames = Object.keys(OPTIONAL_TOOLS) as OptionalTool[];

/** What the scripts are made of. */
export interface DataTools {
  /** The words that start a tool where the scripts run. */
  readonly start: Readonly<Record<Tool, readonly string[]>> &
    Readonly<Partial<Record<OptionalTool, readonly string[]>>>;
  /** First line of each archiver's `--version`. */
  readonly versions: Readonly<Record<string, string>>;
}

/**
 * The tools of this machine, for scripts that run on it.
 * @throws LiftlockError `misconfigured` naming the package that is missing.
 */
export async function localTools(): Promise<DataTools> {
  const start: Partial<Record<Tool | OptionalTool, readonly string[]>> = {};
  for (const tool of toolNames) start[tool] = [await findProgram(tool)];
  for (const tool of optionalToolNames) {
    const program = await programOf(tool);
    if (program !== undefined) start[tool] = [program];
  }
  return { start: start as DataTools['start'], versions: await archiverVersions() };
}

/** What an archive of a source is, and what makes it. */
export function archiverOf(
  { versions }: Pick<DataTools, 'versions'>,
  { plain }: { readonly plain?: boolean | undefined },
): { format: string; tools: Readonly<Record<string, string>> } {
  if (plain !== true) return { format: 'tar.zst', tools: versions };
  const { zstd: _zstd, ...rest } = versions;
  return { format: 'tar', tools: rest };
}

/** Of this machine's. */
export async function archiverVersions(): Promise<Readonly<Record<string, string>>> {
  return { tar: await versionOf('tar'), zstd: await versionOf('zstd') };
}

/** Where it is on this machine. @throws LiftlockError `misconfigured` naming the package that is missing. */
export async function findProgram(tool: Tool): Promise<string> {
  const path = await programOf(tool);
  if (path !== undefined) return path;
  throw new LiftlockError(
    'misconfigured',
    `${tool} is needed on this machine to read and write data, and is not there: apt-get install ${TOOLS[tool]}`,
    { details: { tool, package: TOOLS[tool] } },
  );
}

/** @returns nothing where this machine has no such program */
export async function programOf(tool: string): Promise<string | undefined> {
  for (const folder of FOLDERS) {
    const path = join(folder, tool);
    const executable = await access(path, constants.X_OK).then(
      () => true,
      () => false,
    );
    if (executable) return path;
  }
  return undefined;
}

async function versionOf(tool: Tool): Promise<string> {
  const { stdout } = await run(await findProgram(tool), ['--version'], { env: PLAIN_ENV });
  return firstLineOf(stdout);
}

/** Of what an archiver says of its version. */
export function firstLineOf(said: string): string {
  return (said.split('\n')[0] ?? '').replace(/^\*+ | \*+$/g, '').trim();
}
