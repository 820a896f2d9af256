import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { LiftlockError } from '#kernel';

export interface SecretSources {
  /** By the name of their variable. */
  readonly variables: Readonly<Record<string, string>>;
  /** Folder with a file for each secret, named as the variable would be; default: none. */
  readonly folder?: string | undefined;
}

/** What the names of secrets stand for, in the service that uses them: looked up anew each time, and kept nowhere. */
export class SecretStore {
  constructor(private readonly sources: SecretSources = { variables: {} }) {}

  /** @throws LiftlockError `misconfigured` for a file that may not be read. */
  async find(name: string): Promise<string | undefined> {
    const { variables, folder } = this.sources;
    return (
      // the file goes first, since it can be changed without a restart
      (folder === undefined ? undefined : await fileIn(folder, name)) ??
      (Object.hasOwn(variables, name) ? variables[name] : undefined)
    );
  }

  /**
   * @param reference `env:LIFTLOCK_SECRET_<NAME>`
   * @throws LiftlockError `misconfigured` naming the reference, and where to put what it stands for.
   */
  async get(reference: string): Promise<string> {
    const name = /^env:(LIFTLOCK_SECRET_[A-Z0-9_]+)$/.exec(reference)?.[1];
    const value = name === undefined ? undefined : await this.find(name);
    if (name !== undefined && value !== undefined && value.trim() !== '') return value;
    const { folder } = this.sources;
    throw new LiftlockError(
      'misconfigured',
      `this service does not know ${name ?? reference}: give it as a variable of its environment` +
        (folder === undefined ? '' : `, or as a file of that name in ${folder}`),
      { details: { reference } },
    );
  }
}

async function fileIn(folder: string, name: string): Promise<string | undefined> {
  const path = join(folder, name);
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT') return undefined;
    throw new LiftlockError('misconfigured', `this service may not read ${path}: ${message}`, {
      cause: error,
    });
  }
}
