import { open, readFile, rename, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { LiftlockError } from '#kernel';
import { withFolderLock } from './folder-lock.js';
import { modelWorld, type LedgerLine, type ModelWorld } from './world.js';

const WORLD = 'world.json';
const LEDGER = 'ledger.jsonl';

/**
 * A model target's files. `world.json` is the truth, ledger included, and changes in one rename: a kill at any moment leaves an
 * effect with its line, or neither. `ledger.jsonl` is appended after it, for people; what a kill kept from it comes with the
 * next change.
 */
export class WorldStore {
  constructor(readonly folder: string) {}

  /** As it was after the last change: no lock is needed. @throws LiftlockError `target_unreachable` when there is none. */
  async read(): Promise<ModelWorld> {
    const path = join(this.folder, WORLD);
    let text: string;
    try {
      text = await readFile(path, 'utf8');
    } catch (error) {
      throw new LiftlockError(
        'target_unreachable',
        `the model target ${this.folder} has no ${WORLD}; make it first`,
        { cause: error },
      );
    }
    return modelWorld.parse(JSON.parse(text));
  }

  /** One change at a time, by whoever: what `work` makes of the world is written when it returns `true` as its first part. */
  async change<T>(work: (world: ModelWorld) => readonly [changed: boolean, value: T]): Promise<T> {
    return withFolderLock(await this.existing(), async () => {
      const world = await this.read();
      const [changed, value] = work(world);
      if (changed) await this.write(world);
      return value;
    });
  }

  async write(world: ModelWorld): Promise<void> {
    const temporary = join(this.folder, `${WORLD}.partial`);
    const file = await open(temporary, 'w');
    try {
      await file.writeFile(JSON.stringify(world, undefined, 1));
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(temporary, join(this.folder, WORLD));
    await syncFolder(this.folder);
    await this.exportLedger(world.ledger);
  }

  private async existing(): Promise<string> {
    const found = await stat(this.folder).catch(() => undefined);
    if (found?.isDirectory() !== true) {
      throw new LiftlockError(
        'target_unreachable',
        `the model target ${this.folder} is not there; make it first`,
      );
    }
    return this.folder;
  }

  private async exportLedger(ledger: readonly LedgerLine[]): Promise<void> {
    const file = await open(join(this.folder, LEDGER), 'a+');
    try {
      const text = await file.readFile('utf8');
      // a kill in the middle of an append leaves a torn line: it is cut off and written anew
      const whole = text.slice(0, text.lastIndexOf('\n') + 1);
      if (whole.length < text.length) await file.truncate(Buffer.byteLength(whole));
      const missing = ledger.slice(whole.split('\n').length - 1);
      if (missing.length === 0) return;
      await file.appendFile(missing.map((line) => `${JSON.stringify(line)}\n`).join(''));
      await file.sync();
    } finally {
      await file.close();
    }
  }
}

/** Makes renames in a folder last. */
async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, 'r');
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
