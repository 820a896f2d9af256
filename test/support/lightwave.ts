import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse } from 'yaml';
import { z } from 'zod';
import { rootFolder } from '#fleet';
import { waitFor } from '#kernel';
import type { ApiClient } from './api-client.js';
import { plantTree, treeDigest, treeLines } from './data-tree.js';
import { NODES, type LightwaveHosts, type Node } from './lightwave-hosts.js';

const DOCUMENTS = join(rootFolder(), 'examples/lightwave/documents');
const ENDPOINTS: Readonly<Record<Node, string>> = {
  1: 'unix:///var/run/docker.sock',
  2: 'unix:///run/lightwave-2/docker.sock',
};
const HOME = '/srv/lightwave';
const CONFIG = '/var/lib/vmware/config';
export const IMAGE = 'vmware/lightwave-sts:latest';

const mounts = z.array(z.object({ Destination: z.string(), Source: z.string() }));

export interface NodeState {
  readonly container: string;
  readonly image: string;
  /** Of all its data, to the byte: contents, owners, modes, times, attributes. */
  readonly digest: string;
  readonly lines: readonly string[];
}

/** The two replicas of examples/lightwave, told to a fleet with the example's own documents. */
export class Lightwave {
  private constructor(
    private readonly api: ApiClient,
    readonly hosts: LightwaveHosts,
  ) {}

  /** Both replicas at 1.0.0, each with everything that a file system may hold in one of its volumes. */
  static async start(
    api: ApiClient,
    hosts: LightwaveHosts,
    {
      password,
      failOn,
      seconds = 0,
    }: { password: string; failOn?: Node | undefined; seconds?: number },
  ): Promise<Lightwave> {
    const one = new Lightwave(api, hosts);
    await hosts.run(['remove']);
    await hosts.run(['start'], {
      LIGHTWAVE_PASSWORD: password,
      LIGHTWAVE_FAIL_ON: String(failOn ?? ''),
      LIGHTWAVE_SECONDS: String(seconds),
    });
    for (const node of NODES) {
      // of an earlier pair, whose upgrade had not ended when it was removed
      for (const record of await one.records(node))
        await hosts.docker(node, 'volume', 'rm', record);
      const [last = ''] = (await one.folders(node)).toReversed();
      await plantTree(last);
    }
    await one.apply();
    return one;
  }

  /** The documents as they stand in the example, but for where engines and tars are. */
  private async apply(): Promise<void> {
    const kinds = { environment: 'environments', application: 'applications' } as const;
    const files = readdirSync(DOCUMENTS).toSorted();
    for (const file of files) {
      let text = readFileSync(join(DOCUMENTS, file), 'utf8').replaceAll(HOME, this.hosts.home);
      for (const node of NODES) text = text.replace(ENDPOINTS[node], this.hosts.host(node));
      const kind = kinds[file.replace(/\.yaml$/, '') as keyof typeof kinds] ?? 'releases';
      await this.api.put(kind, parse(text) as Parameters<ApiClient['put']>[1]);
    }
  }

  upgrade(policy: object = {}): ReturnType<ApiClient['upgrade']> {
    return this.api.upgrade({
      ...{ environment: 'directory', application: 'lightwave', release: 'lightwave-1.1.0' },
      policy,
    });
  }

  /** Ends what its upgrade lasts for (`seconds`), when it has come to that. */
  async goOn(node: Node): Promise<void> {
    await waitFor(
      async () => {
        const said = await this.hosts.run(['journal', String(node)]);
        if (!said.includes('Running vdcupgrade')) return false;
        await this.hosts.docker(node, 'exec', 'lightwave', 'busybox', 'killall', 'sleep');
        return true;
      },
      { what: `the upgrade of node ${node} is under way`, deadlineMs: 120_000 },
    );
  }

  /** What it says that its data is. */
  version(node: Node): Promise<string> {
    return this.hosts.docker(node, 'exec', 'lightwave', 'cat', '/var/lib/vmware/vmdir/version');
  }

  async names(node: Node): Promise<string[]> {
    const names = await this.hosts.docker(node, 'ps', '--all', '--format', '{{.Names}}');
    return names
      .split('\n')
      .filter((name) => /^(lightwave|lw_|liftlock-)/.test(name))
      .toSorted();
  }

  /** What is written down on an engine. */
  async records(node: Node): Promise<string[]> {
    const records = await this.hosts.docker(
      ...([node, 'volume', 'ls', '--quiet', '--filter', 'label=dev.liftlock.role'] as const),
    );
    return records.split('\n').filter((name) => name !== '');
  }

  async imageId(node: Node, name: string): Promise<string | undefined> {
    return this.hosts.docker(node, 'inspect', '--format', '{{.Id}}', name).catch(() => undefined);
  }

  async state(node: Node): Promise<NodeState> {
    const [container = '', image = ''] = (
      await this.hosts.docker(node, 'inspect', '--format', '{{.Id}} {{.Image}}', 'lightwave')
    ).split(' ');
    const folders = await this.folders(node);
    return {
      container,
      image,
      digest: folders.map(treeDigest).join(' '),
      lines: folders.flatMap(treeLines),
    };
  }

  /** What the container was made with, but for what must differ. */
  async settings(node: Node): Promise<unknown> {
    const [found] = z
      .array(z.object({ HostConfig: z.looseObject({}), Mounts: z.array(z.unknown()) }))
      .parse(JSON.parse(await this.hosts.docker(node, 'inspect', 'lightwave')));
    return { ...found?.HostConfig, Mounts: found?.Mounts.length };
  }

  configFolder(node: Node): string {
    return join(this.hosts.home, `node-${node}`, 'config');
  }

  /** Whether the file with the password is there, under any name. */
  hasPassword(node: Node): boolean {
    const folder = this.configFolder(node);
    return (
      existsSync(folder) &&
      readdirSync(folder).some((name) => /^(\.liftlock|lightwave-server)/.test(name))
    );
  }

  /** Where its data lies on this machine: the four volumes, and the folder of its configuration. */
  private async folders(node: Node): Promise<string[]> {
    const text = await this.hosts.docker(
      node,
      'inspect',
      '--format',
      '{{json .Mounts}}',
      'lightwave',
    );
    return mounts
      .parse(JSON.parse(text))
      .filter(({ Destination }) => Destination !== '/sys/fs/cgroup')
      .toSorted((a, b) => (a.Destination < b.Destination ? -1 : 1))
      .map(({ Source, Destination }) =>
        Destination === CONFIG ? this.configFolder(node) : Source,
      );
  }
}
