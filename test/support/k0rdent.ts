import { spawn, type ChildProcess } from 'node:child_process';
import { setTimeout as delay } from 'node:timers/promises';
import { waitFor } from '#kernel';
import { K0RDENT_DEFINITIONS } from './k0rdent-definitions.js';
import type { TestCluster } from './kubernetes.js';

const API = '/apis/k0rdent.mirantis.com/v1beta1';
/** So often it looks at its objects, in milliseconds. */
const TICK_MS = 100;

export const K0RDENT = { apiVersion: 'k0rdent.mirantis.com/v1beta1' };

interface Service {
  readonly name: string;
  readonly namespace?: string;
  readonly template: string;
  readonly templateChain?: string;
}
interface Chain {
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly supportedTemplates?: ReadonlyArray<{
      readonly name: string;
      readonly availableUpgrades?: ReadonlyArray<{ readonly name: string }>;
    }>;
  };
  readonly status?: { readonly valid?: boolean };
}
export interface Holder {
  readonly metadata: {
    readonly name: string;
    readonly uid: string;
    readonly namespace?: string;
    readonly generation: number;
    readonly labels?: Readonly<Record<string, string>>;
  };
  readonly spec: {
    readonly clusterSelector?: { readonly matchLabels?: Readonly<Record<string, string>> };
    readonly keepServicesOnSelectorMismatch?: boolean;
    readonly serviceSpec?: { readonly services?: readonly Service[] };
  };
  readonly status?: { readonly observedGeneration?: number; readonly services?: readonly State[] };
}
interface State {
  readonly name: string;
  readonly namespace: string;
  readonly template: string;
  readonly state: string;
}

/** What one holder has in one cluster of one service: k0rdent's ServiceSet. */
interface Release {
  readonly service: Service;
  template: string;
  state: 'Provisioning' | 'Deployed' | 'Failed';
}

/**
 * Answers as k0rdent's controllers do, for the objects of one namespace, and the MultiClusterServices that are labelled with it: templates and
 * chains become valid; a service is brought to another template only where its chain knows a way there, and then straight (k0rdent/kcm#3042), else
 * it is refused in k0rdent's words and stays; statuses follow a moment later.
 */
export class K0rdent {
  /** What was refused, in the order in which it was. */
  readonly refusals: string[] = [];
  /** Of each cluster and service (`cluster namespace/name`): the templates that it was deployed by, one after another, as `helm history` has them. */
  readonly history = new Map<string, string[]>();
  /** All of it in the order in which it was: `cluster namespace/name template`. */
  readonly order: string[] = [];
  /** Templates that are not deployed yet, however long it takes. */
  readonly held = new Set<string>();
  /** Templates that cannot be deployed. */
  readonly broken = new Set<string>();
  private readonly releases = new Map<string, Release>();
  private readonly stopping = new AbortController();
  private running: Promise<void> = Promise.resolve();
  private told = 0;
  /** Looks at all objects that found nothing to tell. */
  private quietLooks = 0;

  private constructor(
    private readonly namespace: string,
    private readonly proxy: ChildProcess,
    private readonly url: string,
  ) {}

  static async start(cluster: TestCluster): Promise<K0rdent> {
    await cluster.apply(...K0RDENT_DEFINITIONS);
    await cluster.kubectl([
      ...['wait', '--for=condition=Established', '--timeout=300s'],
      ...K0RDENT_DEFINITIONS.map(
        (one) => `crd/${(one as { metadata: { name: string } }).metadata.name}`,
      ),
    ]);
    const args = ['--kubeconfig', cluster.kubeconfig, 'proxy', '--port=0'];
    const proxy = spawn('kubectl', args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const url = await new Promise<string>((resolve, reject) => {
      proxy.once('exit', (code) => reject(new Error(`kubectl proxy ended with ${code}`)));
      proxy.stdout.on('data', (said: Buffer) => {
        const [, at] = /serve on (\S+)/.exec(String(said)) ?? [];
        if (at !== undefined) resolve(`http://${at}`);
      });
    });
    const k0rdent = new K0rdent(cluster.namespace, proxy, url);
    k0rdent.running = k0rdent.run();
    return k0rdent;
  }

  async stop(): Promise<void> {
    this.stopping.abort();
    await this.running;
    this.proxy.kill();
  }

  /** Until all statuses are as the objects are now. */
  async untilSettled(): Promise<void> {
    // one may be under way, and have begun before
    const looks = this.quietLooks + 2;
    await waitFor(() => this.quietLooks >= looks, {
      ...{ what: 'k0rdent has told all', deadlineMs: 120_000 },
    });
  }

  private async run(): Promise<void> {
    const { signal } = this.stopping;
    while (!signal.aborted) {
      // as a controller does that was refused, or not answered in time: once more
      await waitFor(() => this.reconcile().then(() => true), {
        ...{ what: 'k0rdent', deadlineMs: 60_000, everyMs: TICK_MS },
      });
      await delay(TICK_MS, undefined, { signal }).catch(() => undefined);
    }
  }

  private async reconcile(): Promise<void> {
    const { told } = this;
    const own = `${API}/namespaces/${this.namespace}`;
    const templates = await this.list<Chain>(`${own}/servicetemplates`);
    const chains = await this.list<Chain>(`${own}/servicetemplatechains`);
    for (const { metadata, status } of templates)
      if (status?.valid !== true)
        await this.tell(`${own}/servicetemplates/${metadata.name}`, { valid: true });
    const known = new Set(templates.map(({ metadata }) => metadata.name));
    for (const { metadata, spec, status } of chains) {
      const missing = spec.supportedTemplates?.find(({ name }) => !known.has(name));
      if (missing === undefined && status?.valid !== true)
        await this.tell(`${own}/servicetemplatechains/${metadata.name}`, { valid: true });
    }
    const clusters = await this.list<Holder>(`${own}/clusterdeployments`);
    const multi = await this.list<Holder>(
      `${API}/multiclusterservices?labelSelector=${encodeURIComponent(`test=${this.namespace}`)}`,
    );
    for (const holder of clusters) this.bring(holder, [holder], chains);
    for (const holder of multi) {
      this.bring(holder, selected(holder, clusters), chains);
      if (holder.spec.keepServicesOnSelectorMismatch !== true)
        this.remove(holder, selected(holder, clusters));
    }
    for (const one of clusters)
      await this.tellHolder(`${own}/clusterdeployments/${one.metadata.name}`, one, chains, {
        services: [...this.releases].flatMap(([key, release]) =>
          key.startsWith(`${one.metadata.name} `) ? stateOf(release) : [],
        ),
      });
    for (const one of multi)
      await this.tellHolder(`${API}/multiclusterservices/${one.metadata.name}`, one, chains, {
        matchingClusters: selected(one, clusters).map(({ metadata: { name } }) => ({
          kind: 'ClusterDeployment',
          name,
          namespace: this.namespace,
          deployed: [...this.releases].every(
            ([key, { state }]) => !key.startsWith(`${name} `) || state === 'Deployed',
          ),
        })),
      });
    if (this.told === told) this.quietLooks += 1;
  }

  /** One step of each service towards its template, in each of the clusters. */
  private bring(
    { metadata, spec }: Holder,
    clusters: readonly Holder[],
    chains: readonly Chain[],
  ): void {
    for (const service of spec.serviceSpec?.services ?? [])
      for (const { metadata: cluster } of clusters) {
        const title = `${service.namespace ?? 'default'}/${service.name}`;
        const key = `${cluster.name} ${metadata.uid} ${title}`;
        const release = this.releases.get(key);
        if (release === undefined) {
          const { template } = service;
          this.releases.set(key, { service, template, state: 'Deployed' });
          this.note(`${cluster.name} ${title}`, template);
        } else if (release.template === service.template) {
          if (release.state === 'Provisioning' && !this.held.has(service.template)) {
            release.state = this.broken.has(service.template) ? 'Failed' : 'Deployed';
            if (release.state === 'Deployed')
              this.note(`${cluster.name} ${title}`, service.template);
          }
        } else if (
          waysFrom(chainOf(service, chains), release.template).some(
            (way) => way.at(-1) === service.template,
          )
        ) {
          release.template = service.template;
          release.state = 'Provisioning';
        } else {
          const refusal = `${cluster.name}: service ${title} can't be upgraded from ${release.template} to ${service.template}`;
          if (this.refusals.at(-1) !== refusal) this.refusals.push(refusal);
        }
      }
  }

  /** From clusters that are not selected any more. */
  private remove({ metadata: { uid } }: Holder, clusters: readonly Holder[]): void {
    for (const key of this.releases.keys()) {
      const [cluster = '', of, title] = key.split(' ');
      if (of !== uid || clusters.some(({ metadata }) => metadata.name === cluster)) continue;
      this.releases.delete(key);
      this.note(`${cluster} ${title}`, 'removed');
    }
  }

  private note(of: string, template: string): void {
    this.order.push(`${of} ${template}`);
    this.history.set(of, [...(this.history.get(of) ?? []), template]);
  }

  private async tellHolder(
    path: string,
    { metadata, spec, status }: Holder,
    chains: readonly Chain[],
    rest: object,
  ): Promise<void> {
    const wanted = {
      observedGeneration: metadata.generation,
      servicesUpgradePaths: (spec.serviceSpec?.services ?? []).map((service) => ({
        name: service.name,
        namespace: service.namespace ?? 'default',
        template: service.template,
        availableUpgrades:
          service.templateChain === undefined
            ? [{ versions: [{ name: service.template, version: service.template }] }]
            : waysFrom(chainOf(service, chains), service.template).map((way) => ({
                versions: way.map((name) => ({ name, version: name })),
              })),
      })),
      ...rest,
    };
    if (JSON.stringify(withoutTimes(status)) === JSON.stringify(withoutTimes(wanted))) return;
    await this.tell(path, wanted);
  }

  private async list<T>(path: string): Promise<readonly T[]> {
    const answer = await fetch(`${this.url}${path}`);
    if (!answer.ok) throw new Error(`${path}: ${await answer.text()}`);
    return ((await answer.json()) as { items: readonly T[] }).items;
  }

  /** What is gone meanwhile needs no status. */
  private async tell(path: string, status: object): Promise<void> {
    this.told += 1;
    const answer = await fetch(`${this.url}${path}/status`, {
      method: 'PATCH',
      headers: { 'content-type': 'application/merge-patch+json' },
      body: JSON.stringify({ status }),
    });
    if (!answer.ok && answer.status !== 404) throw new Error(`${path}: ${await answer.text()}`);
  }
}

function selected({ spec }: Holder, clusters: readonly Holder[]): readonly Holder[] {
  const labels = Object.entries(spec.clusterSelector?.matchLabels ?? {});
  if (labels.length === 0) return [];
  return clusters.filter(({ metadata }) =>
    labels.every(([key, value]) => metadata.labels?.[key] === value),
  );
}

function chainOf({ templateChain }: Service, chains: readonly Chain[]): Chain | undefined {
  return chains.find(({ metadata, status }) => metadata.name === templateChain && status?.valid);
}

/** All ways from a template, by their order of finding: k0rdent's `findAllUpgradePaths`. */
function waysFrom(chain: Chain | undefined, from: string, on: readonly string[] = []): string[][] {
  const here = chain?.spec.supportedTemplates?.find(({ name }) => name === from);
  return (here?.availableUpgrades ?? []).flatMap(({ name }) =>
    on.includes(name) ? [] : [[...on, name], ...waysFrom(chain, name, [...on, name])],
  );
}

function stateOf({ service, template, state }: Release): object {
  return {
    name: service.name,
    namespace: service.namespace ?? 'default',
    template,
    state,
    type: 'Helm',
    lastStateTransitionTime: new Date(0).toISOString(),
    ...(state === 'Failed' ? { failureMessage: 'the chart has no such value' } : {}),
  };
}

/** As text that can be compared, whatever order the API server has its keys in. */
function withoutTimes(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutTimes);
  if (typeof value !== 'object' || value === null) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([key]) => key !== 'lastStateTransitionTime')
      .toSorted(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, one]) => [key, withoutTimes(one)]),
  );
}
