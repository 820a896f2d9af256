import { randomBytes } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import type Docker from 'dockerode';
import { freePort } from '#fleet';
import { untilAborted } from '#kernel';
import { busyboxRoot, IMAGE_CHANGES } from '../../examples/guestbook/busybox-image.js';
import type { ApiClient } from './api-client.js';
import { plantTree, treeDigest } from './data-tree.js';
import { untilRemoved } from './engine-client.js';

/** 2.0 migrates its data; 3.0 spoils its data and never says that it is ready. */
const VERSIONS = ['1.0', '2.0', '3.0'] as const;
type Version = (typeof VERSIONS)[number];

/** Longest that an engine may take to say which containers it has, in milliseconds. */
const ANSWER_MS = 10_000;

/** It has a port of the host's to itself, as it must have its data; one that finds it taken says so. */
const start = (version: Version, port: number): string => `#!/bin/sh
trap 'exit 0' TERM INT
mkdir -p /www
httpd -p 127.0.0.1:${port} -h /www || echo "${version} ran beside another" >> /told/violations
${WORK[version]}
while :; do sleep 3600 & wait $!; done
`;

const ready = (version: Version): string => `echo ${version} > /www/version`;
const WORK: Readonly<Record<Version, string>> = {
  '1.0': ready('1.0'),
  '2.0': `echo 2 > /data/format\n${ready('2.0')}`,
  '3.0': 'echo 3 > /data/format; rm -f /data/link; echo garbage >> /data/plain',
};

/** An engine, however it came to be. */
interface AnyEngine {
  readonly host: string;
  readonly docker: Docker;
}

/** A service that notices when it does not have its data to itself. */
export class LoneService {
  private constructor(
    private readonly api: ApiClient,
    private readonly engine: AnyEngine,
    readonly name: string,
    /** Its data, on this machine. */
    readonly data: string,
    private readonly told: string,
    private readonly port: number,
  ) {}

  /** Runs at 1.0, with everything that a file system may hold as its data. */
  static async start(
    api: ApiClient,
    engine: AnyEngine,
    folder: string,
    restartPolicy: string,
  ): Promise<LoneService> {
    const name = `lone-${randomBytes(4).toString('hex')}`;
    const [data, told] = [join(folder, name, 'data'), join(folder, name, 'told')];
    for (const path of [data, told]) mkdirSync(path, { recursive: true });
    const one = new LoneService(api, engine, name, data, told, await freePort());
    await plantTree(data);
    for (const version of VERSIONS) await one.build(version);
    await one.run(restartPolicy);
    await one.apply();
    return one;
  }

  private async build(version: Version): Promise<void> {
    const root = await busyboxRoot(start(version, this.port));
    const { docker } = this.engine;
    const options = { repo: this.name, tag: version, changes: [...IMAGE_CHANGES] };
    const answer = (await docker.importImage(
      root as unknown as NodeJS.ReadableStream,
      options,
    )) as Readable;
    const said = await text(answer);
    if (said.includes('"error"')) throw new Error(said);
  }

  private async run(restartPolicy: string): Promise<void> {
    const made = await this.engine.docker.createContainer({
      name: this.name,
      Image: `${this.name}:1.0`,
      HostConfig: {
        RestartPolicy: { Name: restartPolicy },
        Binds: [`${this.data}:/data`, `${this.told}:/told`],
        NetworkMode: 'host',
      },
    });
    await made.start();
  }

  private async apply(): Promise<void> {
    const { name, api } = this;
    const apiVersion = 'liftlock.dev/v1';
    await api.put('environments', {
      ...{ apiVersion, kind: 'Environment', metadata: { name } },
      spec: { targets: [{ name: 'host', driver: 'docker', endpoint: this.engine.host }] },
    });
    const component = { name: 'web', targets: ['host'], container: name };
    await api.put('applications', {
      ...{ apiVersion, kind: 'Application', metadata: { name } },
      spec: { components: [{ ...component, data: { paths: ['/data'] } }] },
    });
    for (const version of VERSIONS) {
      const check = {
        ...{ type: 'http', url: `http://127.0.0.1:${this.port}/version`, body: `^${version}$` },
        // short only for what never passes
        ...{ deadlineSeconds: version === '3.0' ? 5 : 120, intervalMs: 100, stableSeconds: 0.5 },
      };
      const web = { image: `${name}:${version}`, checks: [check] };
      await api.put('releases', {
        ...{ apiVersion, kind: 'Release', metadata: { name: `${name}-${version}` } },
        spec: { application: name, version, components: { web } },
      });
    }
  }

  async upgrade(version: Version, policy: object = {}): Promise<string> {
    const { name } = this;
    const release = `${name}-${version}`;
    const { id } = await this.api.upgrade({
      ...{ environment: name, application: name, release, policy },
    });
    return id;
  }

  inspect(): Promise<Docker.ContainerInspectInfo> {
    return this.engine.docker.getContainer(this.name).inspect();
  }

  /** What is on the engine because of it, running or not. */
  async containers(): Promise<
    Array<{ id: string; name: string; running: boolean; isHelper: boolean }>
  > {
    // dockerode waits for ever for the rest of an answer that an engine was killed in
    const all = await untilAborted(
      this.engine.docker.listContainers({ all: true }),
      AbortSignal.timeout(ANSWER_MS),
    );
    return all
      .filter(({ Mounts }) => Mounts.some(({ Source }) => Source === this.data))
      .map(({ Id, Names, State, Labels }) => ({
        id: Id,
        name: Names.join().replace(/^\//, ''),
        running: ['running', 'paused', 'restarting'].includes(State),
        isHelper: Labels['dev.liftlock.role'] === 'helper',
      }));
  }

  /** Of all its data, to the byte: contents, owners, modes, times, attributes. */
  digest(): string {
    return treeDigest(this.data);
  }

  /** When it did not have its data to itself, in its own words. */
  violations(): string {
    const path = join(this.told, 'violations');
    return existsSync(path) ? readFileSync(path, 'utf8') : '';
  }

  /** From an engine that others go on using; a helper may be going by itself just then. */
  async remove(): Promise<void> {
    const { docker } = this.engine;
    for (const { id } of await this.containers())
      await untilRemoved(() => docker.getContainer(id).remove({ force: true }));
    for (const version of VERSIONS) {
      const image = docker.getImage(`${this.name}:${version}`);
      await untilRemoved(() => image.remove({ force: true }));
    }
  }
}
