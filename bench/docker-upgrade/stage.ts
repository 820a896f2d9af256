import { execFile } from 'node:child_process';
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import type { HistoryEvent } from '#contracts';
import {
  EmbeddedFleet,
  ensureDockerEngine,
  ensureInstalled,
  fleetFolder,
  type DockerEngine,
} from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../../test/support/api-client.js';
import { buildImage, httpService } from '../../test/support/busybox-image.js';
import { DockerCommand } from '../support/docker-command.js';
import { answers } from '../support/probe.js';

const run = promisify(execFile);
/** Both versions listen here, inside their containers. */
const PORT = 8080;
const PREFIX = 'liftlock-bench';
const UPGRADE_DEADLINE_MS = 5 * 60_000;

/** A container with data in a volume of its own name. */
export interface Subject {
  readonly name: string;
  /** On loopback. */
  readonly port: number;
}

export function urlOf(subject: Subject): string {
  return `http://127.0.0.1:${subject.port}/version`;
}

/** A fleet and a Docker Engine, and everything that both ways to upgrade need. */
export class Stage {
  readonly oldImage = `${PREFIX}:1.0`;
  readonly newImage = `${PREFIX}:2.0`;
  private helper: string | undefined;

  private readonly docker: DockerCommand;

  private constructor(
    private readonly folder: string,
    private readonly engine: DockerEngine,
    readonly fleet: EmbeddedFleet,
    private readonly api: ApiClient,
  ) {
    this.docker = new DockerCommand(engine.host, PREFIX);
  }

  static async open(): Promise<Stage> {
    const folder = join(fleetFolder(), 'bench-docker-upgrade');
    // what an earlier run that was cut off left would be in the way
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await ensureInstalled({ docker: true, logFile: join(folder, 'apt.log') });
    const engine = await ensureDockerEngine({ folder: join(folder, 'engine'), tied: true });
    const fleet = await EmbeddedFleet.start({ folder: join(folder, 'fleet'), tied: true });
    const api = new ApiClient(fleet.url, fleet.token);
    const stage = new Stage(folder, engine, fleet, api);
    await buildImage(stage.docker.environment, stage.oldImage, httpService('1.0', PORT));
    await buildImage(stage.docker.environment, stage.newImage, httpService('2.0', PORT));
    await stage.docker.removeContainers();
    return stage;
  }

  async close(): Promise<void> {
    await this.docker.removeContainers();
    await this.fleet.stop();
    await this.engine.stop();
    rmSync(join(this.folder, 'backups'), { recursive: true, force: true });
  }

  /** Fills the subject's volume anew. */
  async fill({ name }: Subject, files: number, kib: number): Promise<void> {
    await this.docker.run('volume', 'rm', '-f', name);
    const script = `for i in $(seq ${files}); do dd if=/dev/urandom of=/data/$i bs=${kib}k count=1 2>/dev/null; done`;
    await this.docker.run(
      'run',
      '--rm',
      '-v',
      `${name}:/data`,
      this.oldImage,
      '/bin/sh',
      '-c',
      script,
    );
  }

  async removeContainersAndVolumes(subjects: readonly Subject[]): Promise<void> {
    await this.docker.removeContainers();
    await this.docker.run('volume', 'rm', '-f', ...subjects.map(({ name }) => name));
  }

  /** Version 1.0 runs and answers. */
  async startOld(subjects: readonly Subject[]): Promise<void> {
    await this.docker.removeContainers();
    for (const { name, port } of subjects) {
      const ports = `127.0.0.1:${port}:${PORT}`;
      await this.docker.run(
        ...['run', '-d', '--name', name, '-p', ports, '-v', `${name}:/data`, this.oldImage],
      );
    }
    for (const subject of subjects) {
      const url = urlOf(subject);
      await waitFor(() => answers(url), { what: url, deadlineMs: 30_000, everyMs: 20 });
    }
  }

  /**
   * Documents of an application whose components are these containers, tier after tier.
   * @param name of the application, its environment and its releases
   */
  async apply(name: string, tiers: readonly (readonly Subject[])[]): Promise<void> {
    const head = { apiVersion: 'liftlock.dev/v1', metadata: { name } };
    await this.api.put('environments', {
      ...head,
      kind: 'Environment',
      spec: { targets: [{ name: 'host', driver: 'docker', endpoint: this.engine.host }] },
    });
    const components = tiers.flatMap((tier, index) =>
      tier.map((subject) => ({
        name: subject.name,
        targets: ['host'],
        container: subject.name,
        data: { paths: ['/data'] },
        dependsOn: tiers[index - 1]?.map((before) => before.name) ?? [],
      })),
    );
    const maxParallel = Math.max(...tiers.map((tier) => tier.length));
    await this.api.put('applications', {
      ...head,
      kind: 'Application',
      spec: { components, maxParallel },
    });
    for (const [version, image] of [
      ['1.0', this.oldImage],
      ['2.0', this.newImage],
    ]) {
      const artifact = (subject: Subject): object => ({
        image,
        checks: [{ type: 'http', url: urlOf(subject), body: `^${version}$`, intervalMs: 50 }],
      });
      await this.api.put('releases', {
        ...head,
        metadata: { name: `${name}-${version}` },
        kind: 'Release',
        spec: {
          application: name,
          version,
          components: Object.fromEntries(
            tiers.flat().map((subject) => [subject.name, artifact(subject)]),
          ),
        },
      });
    }
  }

  /** @returns how long it took, in milliseconds, and what happened. */
  async byLiftlock(name: string): Promise<{ wallMs: number; history: readonly HistoryEvent[] }> {
    const began = performance.now();
    const { id } = await this.api.upgrade({
      environment: name,
      application: name,
      release: `${name}-2.0`,
    });
    // ends with the upgrade, and asks for nothing meanwhile
    const history = await this.api.history(id, UPGRADE_DEADLINE_MS);
    const wallMs = performance.now() - began;
    const end = await this.api.get(id);
    if (end.state !== 'succeeded')
      throw new Error(`${id} ended as ${end.state}: ${end.message ?? ''}`);
    return { wallMs, history };
  }

  /** @returns how long it took, in milliseconds: one wave after the other, each one's containers at the same time. */
  async byScript(waves: readonly (readonly Subject[])[]): Promise<number> {
    const backups = join(this.folder, 'backups');
    mkdirSync(backups, { recursive: true });
    const lines = waves.map((wave) => wave.map(({ name, port }) => `${name} ${port}`).join('\n'));
    const script = join(process.cwd(), 'bench/docker-upgrade/waves.sh');
    const helper = await this.helperImage();
    const began = performance.now();
    await run(script, [this.newImage, String(PORT), helper, backups, ...lines], {
      env: this.docker.environment,
    });
    return performance.now() - began;
  }

  /** The one that Liftlock has made: both ways archive with the same tools. */
  private async helperImage(): Promise<string> {
    if (this.helper === undefined) {
      const names = await this.docker.run(
        ...['images', '--format', '{{.Repository}}:{{.Tag}}', 'liftlock-helper'],
      );
      const [image] = names.trim().split('\n');
      if (image === undefined || image === '')
        throw new Error('the helper image is not there: an upgrade by Liftlock comes first');
      this.helper = image;
    }
    return this.helper;
  }
}

export function subjectNamed(suffix: string, port: number): Subject {
  return { name: suffix === '' ? PREFIX : `${PREFIX}-${suffix}`, port };
}
