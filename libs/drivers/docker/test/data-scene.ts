import { readFileSync, rmSync } from 'node:fs';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import type Docker from 'dockerode';
import type { DataSource, Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { waitFor } from '#kernel';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';

/** Containers with data on the shared engine, and the driver that reads and writes it. */
export class DataScene {
  private readonly folders: string[] = [];
  private readonly made = new Set<string>();

  private constructor(
    /** Of the names of all that is made. */
    readonly prefix: string,
    readonly docker: Docker,
    readonly endpoint: string,
    readonly driver: Driver,
    readonly image: string,
  ) {}

  static async open(prefix: string): Promise<DataScene> {
    const { docker, endpoint } = await openEngine();
    const image = await serviceImage(docker, `liftlock-test-${prefix}:1.0`, '1.0');
    return new DataScene(prefix, docker, endpoint, await dockerDriver(), image);
  }

  /** Removes the containers, volumes and folders. */
  async clean(): Promise<void> {
    await cleanUp(this.docker, this.prefix);
    for (const folder of this.folders.splice(0)) rmSync(folder, { recursive: true, force: true });
  }

  async close(): Promise<void> {
    await this.driver.close();
  }

  folder(): string {
    const folder = newFolder();
    this.folders.push(folder);
    return folder;
  }

  /** A container that was never started, with these mounts. */
  async create(
    name: string,
    binds: readonly string[],
    paths: readonly string[],
    more: { readonly HostConfig?: object; readonly [setting: string]: unknown } = {},
  ): Promise<DataSource & { container: string }> {
    const container = `${this.prefix}-${name}`;
    const { id: containerId } = await this.docker.createContainer({
      name: container,
      Image: this.image,
      StopTimeout: 1,
      ...more,
      HostConfig: { Binds: [...binds], ...more.HostConfig },
    });
    this.made.add(containerId);
    return { container, containerId, keptName: `${container}-kept`, paths };
  }

  list(source: DataSource): ReturnType<Driver['data']['list']> {
    return this.driver.data.list(contextOf(this.endpoint), source);
  }

  async read(source: DataSource): Promise<Buffer> {
    return buffer(await this.driver.data.read(contextOf(this.endpoint), source));
  }

  /** Reads on though its helpers are killed at the first piece. */
  async readKilled(archive: Readable): Promise<Buffer> {
    let killing: Promise<unknown> | undefined;
    const kill = async (): Promise<void> => {
      const helpers = (await this.helpers()).map((name) => this.docker.getContainer(name.slice(1)));
      const found = await Promise.all(helpers.map((helper) => helper.inspect()));
      killing = Promise.all(helpers.map((helper) => helper.kill()));
      killing.catch(() => undefined);
      // of one whose output nobody takes an engine may not tell the end: that its process has ended says it, too
      await waitFor(() => found.every(({ State: { Pid } }) => hasEnded(Pid)), {
        ...{ what: 'the helpers are dead', deadlineMs: 60_000, everyMs: 5 },
      });
    };
    try {
      return await buffer(
        (async function* () {
          for await (const piece of archive) {
            if (killing === undefined) await kill();
            yield piece as Buffer;
          }
        })(),
      );
    } finally {
      // one that was gone by then was not killed in the middle: what it wrote is whole, and is no error
      await killing?.catch(() => undefined);
    }
  }

  write(source: DataSource, archive: Buffer): Promise<void> {
    return this.driver.data.write(contextOf(this.endpoint), source, Readable.from([archive]));
  }

  /** Names of the helpers on these containers. */
  async helpers(): Promise<string[]> {
    const listed = await this.docker.listContainers({
      all: true,
      filters: { label: ['dev.liftlock.role=helper'] },
    });
    return listed
      .filter(({ Labels }) => this.made.has(Labels['dev.liftlock.of'] ?? ''))
      .map(({ Names }) => Names.join());
  }

  /** They are removed in the background. */
  async untilNoHelpers(): Promise<void> {
    await waitFor(async () => (await this.helpers()).length === 0, {
      what: 'no helper',
      deadlineMs: 60_000,
    });
  }
}

/** Of a process of this machine; nobody may have taken note of it yet. */
function hasEnded(pid: number): boolean {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    return /^[ZX]/.test(stat.slice(stat.lastIndexOf(')') + 2));
  } catch {
    return true;
  }
}
