import { createHash } from 'node:crypto';
import { PassThrough, Readable } from 'node:stream';
import { buffer, text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { LiftlockError, waitFor } from '#kernel';
import { busyboxRoot, IMAGE_CHANGES } from './busybox-image.js';
import { imageOf, type GuestbookPlace } from './documents.js';
import { startScript, type GuestbookVersion } from './start-script.js';

/** Prints of everything below /data: name, type, mode, owner, size and time; and then the digest of each file. */
const LIST_DATA =
  'cd /data && find . -exec stat -c "%n %F %a %u %g %s %Y" {} + | sort; find . -type f -exec sha256sum {} + | sort';

/** Milliseconds for which an answer is waited for where something listens: longer than a machine stands still. */
const ANSWER_MS = 30_000;

/** A small stateful service on a real Docker Engine. Its images are built on the spot: nothing is pulled. */
export class Guestbook {
  private readonly engine: Docker;

  constructor(readonly place: GuestbookPlace) {
    this.engine = new Docker(connection(place.engineHost));
  }

  get name(): string {
    return this.place.name;
  }

  get url(): string {
    return `http://${this.address}:${this.place.port}`;
  }

  private get address(): string {
    return this.place.address ?? '127.0.0.1';
  }

  async build(version: GuestbookVersion): Promise<void> {
    const root = await busyboxRoot(startScript(version, this.place.port));
    const answer = await this.engine.importImage(Readable.from([root]), {
      repo: this.name,
      tag: version,
      changes: IMAGE_CHANGES,
    });
    const said = await text(answer);
    if (/"error"/.test(said))
      throw new LiftlockError('target_refused', `import of ${imageOf(this, version)}: ${said}`);
  }

  /** Runs it with a volume of its own, and waits until it answers. */
  async start(version: GuestbookVersion): Promise<void> {
    const port = `${this.place.port}/tcp`;
    const container = await this.engine.createContainer({
      name: this.name,
      Image: imageOf(this, version),
      ExposedPorts: { [port]: {} },
      HostConfig: {
        RestartPolicy: { Name: 'unless-stopped' },
        PortBindings: { [port]: [{ HostIp: this.address, HostPort: String(this.place.port) }] },
        Binds: [`${this.name}:/data`],
      },
    });
    await container.start();
    await waitFor(async () => (await this.version()) === version, {
      what: `${this.name} answers as ${version} at ${this.url}/version`,
      deadlineMs: 120_000,
    });
  }

  /** What it says that it is; `undefined` when it does not answer. */
  async version(): Promise<string | undefined> {
    return (await this.read('/version'))?.trim();
  }

  /** What its guests have written; `undefined` when it does not answer. */
  async entries(): Promise<string[] | undefined> {
    return (await this.read('/entries'))?.split('\n').filter((line) => line !== '');
  }

  async sign(entry: string): Promise<void> {
    const response = await fetch(`${this.url}/cgi-bin/sign`, {
      method: 'POST',
      body: `${entry}\n`,
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (!response.ok)
      throw new LiftlockError('target_refused', `the guest book answered ${response.status}`);
  }

  /** A digest over all of its data: names, types, modes, owners, times and contents, as another container sees them. */
  async dataDigest(): Promise<string> {
    const container = await this.engine.createContainer({
      Image: imageOf(this, '1.0'),
      Cmd: ['/bin/busybox', 'sh', '-c', LIST_DATA],
      HostConfig: { Binds: [`${this.name}:/data:ro`], NetworkMode: 'none' },
      Labels: { 'dev.liftlock.guestbook': this.name },
    });
    try {
      const stream = await container.attach({ stream: true, stdout: true, stderr: true });
      const stdout = new PassThrough();
      const stderr = new PassThrough();
      container.modem.demuxStream(stream, stdout, stderr);
      stream.once('end', () => {
        stdout.end();
        stderr.end();
      });
      await container.start();
      const [listed, complaints, end] = await Promise.all([
        buffer(stdout),
        text(stderr),
        container.wait() as Promise<{ StatusCode: number }>,
      ]);
      if (end.StatusCode !== 0 || complaints !== '' || listed.length === 0)
        throw new LiftlockError(
          'data_missing',
          `the data of ${this.name} cannot be read: ${complaints}`,
        );
      return createHash('sha256').update(listed).digest('hex');
    } finally {
      await container.remove({ force: true });
    }
  }

  /** Names of its containers, stopped ones and left-overs included. */
  async containers(): Promise<string[]> {
    const found = await this.engine.listContainers({ all: true, filters: { name: [this.name] } });
    return found
      .flatMap(({ Names: [name] }) => name?.replace(/^\//, '') ?? [])
      .filter((name) => name === this.name || name.startsWith(`${this.name}-`))
      .toSorted();
  }

  /** Removes its containers and its data, from whatever state they are in. */
  async remove(): Promise<void> {
    const readers = await this.engine.listContainers({
      all: true,
      filters: { label: [`dev.liftlock.guestbook=${this.name}`] },
    });
    const all = [...(await this.containers()), ...readers.map(({ Id }) => Id)];
    for (const one of all)
      await gone(this.engine.getContainer(one).remove({ force: true, v: true }));
    await gone(this.engine.getVolume(this.name).remove({ force: true }));
  }

  private async read(path: string): Promise<string | undefined> {
    try {
      const response = await fetch(`${this.url}${path}`, {
        signal: AbortSignal.timeout(ANSWER_MS),
      });
      return response.ok ? await response.text() : undefined;
    } catch {
      // it does not answer, or not to the end: that is all there is to know
      return undefined;
    }
  }
}

function connection(host: string): Docker.DockerOptions {
  if (!host.startsWith('unix://'))
    throw new LiftlockError(
      'misconfigured',
      `the guest book needs a Docker Engine on a Unix socket of this machine, not ${host}`,
    );
  return { socketPath: host.slice('unix://'.length) };
}

/** What is gone already is as good as removed. */
async function gone(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    if (!(error instanceof Error && 'statusCode' in error && error.statusCode === 404)) throw error;
  }
}
