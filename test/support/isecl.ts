import { execFile } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { parse } from 'yaml';
import { rootFolder } from '#fleet';
import type { ApiClient } from './api-client.js';
import { treeDigest, treeLines } from './data-tree.js';
import type { KubeJson, TestCluster } from './test-cluster.js';

const EXAMPLE = join(rootFolder(), 'examples/isecl');
const KUBECONFIG = 'LIFTLOCK_SECRET_ISECL_KUBECONFIG';
/** Of the API server, and of controllers. */
const OWNED = ['resourceVersion', 'generation', 'managedFields', 'creationTimestamp'];
const REVISION = 'deployment.kubernetes.io/revision';

const run = promisify(execFile);

/** Of the application, or of a release. */
type Spec = Record<string, unknown>;

export interface IseclOptions {
  /** The service whose upgrade fails. */
  readonly fail?: string;
  /** What else the application says. */
  readonly also?: Spec;
  /** The only services that there are; default: all. */
  readonly only?: readonly string[];
  /** Of the check of the service whose upgrade fails; default: the example's. */
  readonly deadlineSeconds?: number;
}

/** The services of examples/isecl in a namespace of their own, told to a fleet with the example's own documents. */
export class Isecl {
  private constructor(
    readonly cluster: TestCluster,
    /** Of archives, and of the share. */
    private readonly home: string,
  ) {}

  /** @param cluster whose namespace has nothing in it yet; it is removed with the rest */
  static open(cluster: TestCluster): Isecl {
    return new Isecl(cluster, mkdtempSync(join(tmpdir(), 'liftlock-isecl-')));
  }

  async close(): Promise<void> {
    await this.cluster.remove();
    rmSync(this.home, { recursive: true, force: true });
  }

  /** What a fleet needs to know to reach it, and to touch the share. */
  get env(): Readonly<Record<string, string>> {
    const { LIFTLOCK_SECRET_CA: ca = '', LIFTLOCK_SECRET_TOKEN: token = '' } = this.cluster.secrets;
    const certificate = Buffer.from(ca).toString('base64');
    const cluster = { server: this.cluster.endpoint, 'certificate-authority-data': certificate };
    const name = 'isecl';
    const config = {
      ...{ apiVersion: 'v1', kind: 'Config' },
      clusters: [{ name, cluster }],
      users: [{ name, user: { token } }],
      contexts: [{ name, context: { cluster: name, user: name } }],
    };
    return { [this.secret]: JSON.stringify(config) };
  }

  get share(): string {
    return join(this.home, 'share');
  }

  /** Folder of the images of both versions, once it was started. */
  get archives(): string {
    return join(this.home, 'container-images');
  }

  /** The example's kustomize folders, as whoever started it by hand has them. @param folder is made */
  writeManifests(folder: string): void {
    cpSync(join(EXAMPLE, 'manifests'), folder, { recursive: true });
    for (const file of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
      if (!file.endsWith('.yml')) continue;
      const path = join(folder, file);
      writeFileSync(path, this.placed(readFileSync(path, 'utf8')));
    }
  }

  /** The services at v3.6, and the documents. */
  async start(api: ApiClient, options: IseclOptions = {}): Promise<void> {
    await this.run(['images']);
    await this.run(['start', ...(options.only ?? [])], { ISECL_FAIL: options.fail ?? '' });
    await this.apply(api, options);
  }

  /** The documents as they stand in the example, but for where things are. */
  async apply(
    api: ApiClient,
    { fail = '', also, only, deadlineSeconds = 300 }: IseclOptions = {},
  ): Promise<void> {
    const { namespace } = this.cluster;
    const folder = join(EXAMPLE, 'documents');
    const kinds: Readonly<Record<string, Parameters<ApiClient['put']>[0]>> = {
      ...{ environment: 'environments', chain: 'upgradechains', application: 'applications' },
    };
    for (const file of ['environment', 'chain', 'application', 'release-3.6', 'release-4.0']) {
      const text = this.placed(readFileSync(join(folder, `${file}.yaml`), 'utf8'))
        .replaceAll(KUBECONFIG, this.secret)
        .replaceAll(/^( +(?:name|application|chains): \[?)isecl(?=$|\]|-[34])/gm, `$1${namespace}`)
        // the others come up, on whatever machine
        .replace(
          new RegExp(`(- name: ${fail}\\n[^]*?deadlineSeconds: )300`),
          `$1${deadlineSeconds}`,
        );
      const body = parse(text) as Parameters<ApiClient['put']>[1] & {
        spec: Spec;
      };
      const changed = file === 'application' ? { ...body.spec, ...also } : body.spec;
      const spec = only === undefined ? changed : without(changed, only);
      await api.put(kinds[file] ?? 'releases', { ...body, spec });
    }
  }

  upgrade(api: ApiClient, policy: object = {}): ReturnType<ApiClient['upgrade']> {
    return api.upgrade({ ...this.request, policy });
  }

  /** Names the upgrade. */
  get request(): { environment: string; application: string; release: string } {
    const { namespace } = this.cluster;
    return { environment: namespace, application: namespace, release: `${namespace}-4.0` };
  }

  /** What the data of a service says of what version it is. */
  version(service: string): string {
    return readFileSync(join(this.share, service, 'version'), 'utf8').trim();
  }

  /** Those with data. */
  services(): string[] {
    return readdirSync(this.share).toSorted();
  }

  /** Each object of the example, but for what the API server owns of it, and all data to the byte. */
  async state(): Promise<object> {
    const kinds = 'deployments,daemonsets,configmaps,secrets';
    const objects = await this.cluster.list<KubeJson>(kinds, '-l', 'app');
    const named = '--field-selector=metadata.name=kbs-secret';
    const secrets = await this.cluster.list<KubeJson>('secrets', named);
    return {
      objects: [...objects, ...secrets].map(asWritten),
      data: this.services().map((service) => treeDigest(join(this.share, service))),
      lines: this.services().map((service) => treeLines(join(this.share, service))),
    };
  }

  /** What an upgrade makes for itself. */
  async left(): Promise<string[]> {
    const kinds = 'configmaps,secrets,jobs,pods';
    const found = await this.cluster.list<KubeJson>(kinds, '-l', 'liftlock.dev/upgrade');
    return found.map(({ metadata }) => metadata.name);
  }

  /** A text of the example with the places of this scene. */
  placed(text: string): string {
    const { namespace, registry } = this.cluster;
    return text
      .replaceAll('/srv/isecl', this.home)
      .replaceAll('/mnt/nfs/isecl', this.share)
      .replaceAll('127.0.0.1:5000/', `${registry}/${namespace}/`)
      .replaceAll('127.0.0.1:5000', registry)
      .replaceAll('namespace: isecl', `namespace: ${namespace}`);
  }

  private get secret(): string {
    return `${KUBECONFIG}_${this.cluster.namespace.toUpperCase().replaceAll('-', '_')}`;
  }

  private async run(
    words: readonly string[],
    env: Readonly<Record<string, string>> = {},
  ): Promise<void> {
    const { registry, namespace, kubeconfig } = this.cluster;
    const places = { ISECL_HOME: this.home, ISECL_SHARE: this.share };
    // repositories of its own: others push other images by the same names
    const names = { ISECL_REGISTRY: `${registry}/${namespace}`, ISECL_NAMESPACE: namespace };
    const all = { ...places, ...names, KUBECONFIG: kubeconfig, ...env };
    await run(join(EXAMPLE, 'isecl'), words, { env: { ...process.env, ...all } });
  }
}

/** With these components only, which depend on each other and on no others. */
function without(spec: Spec, names: readonly string[]): Spec {
  const { components } = spec as { components?: Spec | readonly Spec[] };
  if (components === undefined) return spec;
  const isLeft = (name: unknown): boolean => names.includes(String(name));
  const freed = ({ dependsOn, requires, ...rest }: Spec): Spec => ({
    ...rest,
    ...(dependsOn === undefined ? {} : { dependsOn: (dependsOn as string[]).filter(isLeft) }),
    ...(requires === undefined ? {} : { requires: picked(requires as Spec, isLeft) }),
  });
  if (Array.isArray(components)) {
    const all = components as readonly Spec[];
    return { ...spec, components: all.filter((one) => isLeft(one['name'])).map(freed) };
  }
  const left = Object.entries(picked(components as Spec, isLeft));
  return {
    ...spec,
    components: Object.fromEntries(left.map(([name, one]) => [name, freed(one as Spec)])),
  };
}

function picked(all: Spec, isLeft: (name: string) => boolean): Spec {
  return Object.fromEntries(Object.entries(all).filter(([name]) => isLeft(name)));
}

function asWritten({ metadata, status: _status, ...object }: KubeJson): object {
  const { annotations = {}, ...others } = metadata;
  const { [REVISION]: _revision, ...written } = annotations;
  const kept = Object.entries(others).filter(([field]) => !OWNED.includes(field));
  return { ...object, metadata: { ...Object.fromEntries(kept), annotations: written } };
}
