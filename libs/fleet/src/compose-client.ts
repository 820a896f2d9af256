import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { findProgram } from './find-program.js';

const run = promisify(execFile);

/** The words that start Docker Compose: a program and its first arguments. */
export interface ComposeClient {
  readonly file: string;
  readonly args: readonly string[];
}

/** Docker's own plug-in (`docker compose`), else the older program of its own; `undefined` when there is neither. */
export async function findCompose(): Promise<ComposeClient | undefined> {
  const docker = findProgram('docker');
  const program = findProgram('docker-compose');
  const candidates: ComposeClient[] = [
    ...(docker === undefined ? [] : [{ file: docker, args: ['compose'] }]),
    ...(program === undefined ? [] : [{ file: program, args: [] }]),
  ];
  for (const one of candidates) {
    const works = await run(one.file, [...one.args, 'version'], { timeout: 30_000 }).then(
      () => true,
      () => false, // a docker without the plug-in does not know the word
    );
    if (works) return one;
  }
  return undefined;
}
