import { execFile } from 'node:child_process';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';
import { promisify } from 'node:util';
import { backupRun, backupView, type DataEngine } from '#contracts';
import {
  EmbeddedFleet,
  ensureDockerEngine,
  ensureInstalled,
  fleetFolder,
  type DockerEngine,
} from '#fleet';
import { waitFor } from '#kernel';
import { ApiClient } from '../../test/support/api-client.js';
import { buildImage } from '../../test/support/busybox-image.js';
import { DockerCommand } from '../support/docker-command.js';
import { fillFolder, type Shape } from './data.js';
import { ShareCluster, TARGET } from './share-cluster.js';

const run = promisify(execFile);
const PREFIX = 'liftlock-bench-backup';
const IMAGE = `${PREFIX}:1.0`;
const DEADLINE_MS = 20 * 60_000;
const LOOK_MS = 100;
const MANY = 1000;
const INSTANCE = `web@${TARGET}`;

/** `share`: the backup service has it mounted, and a Deployment that is down has it as its data. `docker`: a stopped container mounts it. */
export type Place = 'share' | 'docker';

/** A folder of this machine, whose data it is. */
export interface Subject {
  readonly place: Place;
  readonly files: number;
  /** Of its environment and application. */
  readonly name: string;
  readonly folder: string;
}

/** One backup, by the id of the request that made it. */
export interface Made {
  readonly id: string;
  readonly wallMs: number;
}

/** A fleet and a Docker Engine, and the data that both ways back up. */
export class Stage {
  /** Of what tar wrote last. */
  private readonly archive: string;
  /** What stood in the way of restores. */
  private readonly emptied: string;
  private emptiedBefore = 0;
  /** Of each subject what was made last, which is kept. */
  private readonly last = new Map<string, string>();

  private readonly docker: DockerCommand;

  private constructor(
    private readonly folder: string,
    private readonly engine: DockerEngine,
    private readonly cluster: ShareCluster,
    private readonly fleet: EmbeddedFleet,
    private readonly api: ApiClient,
  ) {
    this.archive = join(folder, 'by-tar.tar.zst');
    this.emptied = join(folder, 'emptied');
    this.docker = new DockerCommand(engine.host, PREFIX);
  }

  static async open(): Promise<Stage> {
    const folder = join(fleetFolder(), 'bench-backup');
    // what an earlier run that was cut off left would be in the way
    rmSync(folder, { recursive: true, force: true });
    mkdirSync(folder, { recursive: true });
    await ensureInstalled({ docker: true, registry: true, logFile: join(folder, 'apt.log') });
    const engine = await ensureDockerEngine({ folder: join(folder, 'engine'), tied: true });
    const cluster = await ShareCluster.start(folder);
    const fleet = await EmbeddedFleet.start({
      ...{ folder: join(folder, 'fleet'), tied: true, env: cluster.env },
      appEnv: {
        backup: {
          LIFTLOCK_FOLDERS: join(folder, 'data'),
          LIFTLOCK_BACKUP_RESTIC_PASSWORD: 'env:LIFTLOCK_SECRET_RESTIC',
          LIFTLOCK_SECRET_RESTIC: 'of-the-bench',
        },
      },
    });
    const api = new ApiClient(fleet.url, fleet.token);
    const stage = new Stage(folder, engine, cluster, fleet, api);
    await buildImage(stage.docker.environment, IMAGE, '#!/bin/sh\n');
    await stage.docker.removeContainers();
    return stage;
  }

  async close(): Promise<void> {
    await this.docker.removeContainers();
    await this.fleet.stop();
    await this.cluster.stop();
    await this.engine.stop();
    rmSync(this.folder, { recursive: true, force: true });
  }

  async newSubject(suffix: string, shape: Shape, place: Place): Promise<Subject> {
    const name = `${PREFIX}-${suffix}`;
    const folder = join(this.folder, 'data', name);
    mkdirSync(folder, { recursive: true });
    fillFolder(folder, shape);
    const subject = { place, files: shape.files, name, folder };
    if (place === 'share') await this.cluster.newDeployment(name);
    else await this.docker.run('create', '--name', name, '-v', `${folder}:/data`, IMAGE);
    await this.declare(name, subject, 'archive');
    return subject;
  }

  /** The same data as another application's, whose archives restic keeps: it has none of them yet. */
  async newToRestic(subject: Subject, suffix: string): Promise<Subject> {
    const other = `${subject.name}-${suffix}`;
    await this.declare(other, subject, 'restic');
    return { ...subject, name: other };
  }

  private async declare(
    name: string,
    { place, name: holder, folder }: Subject,
    engine: DataEngine,
  ): Promise<void> {
    const head = { apiVersion: 'liftlock.dev/v1', metadata: { name } };
    const host = { name: TARGET, driver: 'docker', endpoint: this.engine.host };
    const targets = [place === 'share' ? this.cluster.target : host];
    await this.api.put('environments', { ...head, kind: 'Environment', spec: { targets } });
    const component =
      place === 'share'
        ? {
            ...{ workload: this.cluster.workload(holder) },
            data: { folder: dirname(folder), paths: [`/${basename(folder)}`], engine },
          }
        : { container: holder, data: { paths: ['/data'], engine } };
    const components = [{ name: 'web', targets: [TARGET], ...component }];
    await this.api.put('applications', { ...head, kind: 'Application', spec: { components } });
  }

  async remove({ place, name, folder }: Subject): Promise<void> {
    if (place === 'docker') await this.docker.run('rm', name);
    rmSync(folder, { recursive: true, force: true });
    rmSync(this.emptied, { recursive: true, force: true });
    rmSync(this.archive, { force: true });
  }

  /** What is to be read is in the page cache, and nothing is on its way to the disk: alike for both ways. */
  private async settle({ folder }: Subject): Promise<void> {
    await run('sh', ['-c', 'find "$@" -type f -exec cat -- {} + >/dev/null; sync', '-', folder]);
  }

  async snapshot(subject: Subject): Promise<Made> {
    const { wallMs, made } = await this.snapshots([subject]);
    const [id = ''] = made;
    return { id, wallMs };
  }

  /** All at the same time; what was made of them before is deleted. @returns milliseconds until the last one had ended */
  async snapshots(
    subjects: readonly Subject[],
  ): Promise<{ readonly wallMs: number; readonly made: readonly string[] }> {
    for (const subject of subjects) await this.settle(subject);
    const began = performance.now();
    const made = await Promise.all(
      subjects.map(async ({ name }) => {
        const body = { environment: name, application: name, component: 'web' };
        return this.ended(await this.ask('POST', '/v1/backups', body));
      }),
    );
    const wallMs = performance.now() - began;
    for (const [at, { name }] of subjects.entries()) {
      const [before, id] = [this.last.get(name), made[at]];
      if (before !== undefined) await this.ask('DELETE', pathOf(before));
      if (id !== undefined) this.last.set(name, id);
    }
    return { wallMs, made };
  }

  /** Into its folder, which is empty before. @returns milliseconds */
  async restore({ id }: Made, subject: Subject): Promise<number> {
    await this.empty(subject);
    const began = performance.now();
    const body = { to: { instance: INSTANCE } };
    await this.ended(await this.ask('POST', `${pathOf(id)}/restore`, body));
    return performance.now() - began;
  }

  /** @returns milliseconds */
  async verify({ id }: Made): Promise<number> {
    const began = performance.now();
    await this.ask('POST', `${pathOf(id)}/verify`);
    const found = await waitFor(
      async () => {
        const { verification } = backupView.parse(await this.ask('GET', pathOf(id)));
        return verification?.state === 'running' ? undefined : verification;
      },
      { what: `${id} was read back`, deadlineMs: DEADLINE_MS, everyMs: LOOK_MS },
    );
    if (found?.state !== 'whole') throw new Error(`${id} is ${found?.state}: ${found?.problem}`);
    return performance.now() - began;
  }

  /** @returns milliseconds */
  async snapshotByTar(subject: Subject): Promise<number> {
    rmSync(this.archive, { force: true });
    rmSync(`${this.archive}.sha256`, { force: true });
    await this.settle(subject);
    return this.byTar('snapshot', subject.folder, this.archive);
  }

  /** What it archived last, into the subject's folder, which is empty before. @returns milliseconds */
  async restoreByTar(subject: Subject): Promise<number> {
    await this.empty(subject);
    return this.byTar('restore', this.archive, subject.folder);
  }

  /** The most that the backup service had resident since it started (`VmHWM`), in MiB. */
  residentMiB(): number {
    const { pid } = this.fleet.service('backup');
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    return Number(/^VmHWM:\s+(\d+) kB/m.exec(status)?.[1] ?? Number.NaN) / 1024;
  }

  private async byTar(...args: string[]): Promise<number> {
    const script = join(process.cwd(), 'bench/backup/by-tar.sh');
    const began = performance.now();
    await run(script, args, { timeout: DEADLINE_MS });
    return performance.now() - began;
  }

  /**
   * What was there is kept until the subject goes, where it is of many files: for some minutes an ext4 looks through all numbers of files that were
   * just deleted before it makes a new one (`recently_deleted`), which is in no other restore's way.
   */
  private async empty({ folder, files }: Subject): Promise<void> {
    const aside = join(this.emptied, String((this.emptiedBefore += 1)));
    mkdirSync(aside, { recursive: true });
    for (const name of readdirSync(folder)) renameSync(join(folder, name), join(aside, name));
    if (files < MANY) rmSync(aside, { recursive: true });
    await run('sync');
  }

  private async ask(method: string, path: string, body?: object): Promise<unknown> {
    const answer = await this.api.request(method, path, body);
    if (answer.status >= 400)
      throw new Error(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    return answer.body;
  }

  /** @returns its id, when it has ended well */
  private async ended(begun: unknown): Promise<string> {
    const { id } = backupRun.parse(begun);
    const end = await waitFor(
      async () => {
        const now = backupRun.parse(await this.ask('GET', `/v1/backup-runs/${id}`));
        return now.state === 'running' ? undefined : now;
      },
      { what: `${id} has ended`, deadlineMs: DEADLINE_MS, everyMs: LOOK_MS },
    );
    if (end.state !== 'succeeded') throw new Error(`${id}: ${JSON.stringify(end.items)}`);
    return id;
  }
}

/** By hand a backup has the name of its instance. */
function pathOf(id: string): string {
  return `/v1/backups/${id}/${INSTANCE}`;
}
