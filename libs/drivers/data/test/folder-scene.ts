import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type { DataSource, StepContext } from '#drivers/core';
import { FolderData } from '#drivers/data';
import { LiftlockError, systemIds } from '#kernel';
import { expect } from 'vitest';
import { newFolder } from '../../../../test/support/data-tree.js';
import { contextOf } from '../../../../test/support/step-context.js';

/** Folders of this machine with data, and what reads and writes them. */
export class FolderScene {
  readonly upgrade = systemIds.next('upg');
  readonly data: FolderData;
  private token = 0;
  private readonly mounted: string[] = [];

  constructor(
    /** All else lies in it. */
    readonly top = newFolder(),
  ) {
    this.data = new FolderData([top]);
  }

  folder(name: string): string {
    const folder = join(this.top, name);
    mkdirSync(folder, { recursive: true });
    return folder;
  }

  /** Mounts something by the words of mount(8) after its name, or with a program of its own. */
  mount(at: string, words: readonly string[], program = 'mount'): void {
    execFileSync(program, [...words, at]);
    this.mounted.push(at);
  }

  source(folder: string, paths: readonly string[] = ['/']): DataSource {
    return { container: 'share', containerId: 'none', keptName: 'none', folder, paths };
  }

  /** Of the next attempt. */
  attempt(changes: Partial<StepContext> = {}): ReturnType<typeof contextOf> {
    this.token += 1;
    return contextOf('/', { upgrade: this.upgrade, token: this.token, ...changes });
  }

  async read(source: DataSource): Promise<Buffer> {
    return buffer(await this.data.read(this.attempt(), source));
  }

  write(source: DataSource, archive: Buffer, keepAside?: string): Promise<void> {
    return this.data.write(this.attempt(), source, Readable.from([archive]), keepAside);
  }

  clean(): void {
    for (const folder of this.mounted.splice(0).toReversed())
      execFileSync('umount', ['--lazy', folder]);
    rmSync(this.top, { recursive: true, force: true });
  }
}

export async function expectRefused(
  attempt: Promise<unknown>,
  code: string,
  message: RegExp,
): Promise<void> {
  const error = await attempt.then(
    () => undefined,
    (thrown: unknown) => LiftlockError.from(thrown),
  );
  expect({ code: error?.code, message: error?.message }).toMatchObject({ code });
  expect(error?.message).toMatch(message);
}
