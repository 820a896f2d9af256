import { serviceRecordText, serviceText, templateId, type ServicePlace } from '#contracts';
import type { Driver, StepContext } from '#drivers/core';
import { systemIds } from '#kernel';
import { K0RDENT, K0rdent, type Holder } from '../../../../test/support/k0rdent.js';
import type { TestCluster } from '../../../../test/support/kubernetes.js';
import type { contextOf } from '../../../../test/support/step-context.js';
import { KubeScene } from './kube-scene.js';

export const template = (version: string): string => `ingress-${version}`;
export const VERSIONS = ['1', '2', '3', '4'] as const;

/** A namespace of k0rdent's, with templates 1 to 4, a chain that leads up through all of them, and one that leads down. */
export class K0rdentScene {
  private constructor(
    private readonly scene: KubeScene,
    readonly k0rdent: K0rdent,
  ) {}

  static async open(): Promise<K0rdentScene> {
    const scene = await KubeScene.open();
    const { cluster } = scene;
    const k0rdent = await K0rdent.start(cluster);
    const account = `--serviceaccount=${cluster.namespace}:liftlock`;
    const named = `liftlock-k0rdent-${cluster.namespace}`;
    await cluster.kubectl([
      'create',
      'clusterrolebinding',
      named,
      '--clusterrole=liftlock-k0rdent',
      account,
    ]);
    await cluster.apply(
      ...VERSIONS.map((version) => ({
        ...K0RDENT,
        kind: 'ServiceTemplate',
        metadata: { name: template(version) },
        spec: { version: `${version}.0.0` },
      })),
      chain('up', ['1', ['2']], ['2', ['3']], ['3', ['4']], ['4', []]),
      chain('down', ['1', []], ['2', ['1']], ['3', ['2']], ['4', ['3']]),
      chain('other', ['1', []], ['4', []]),
    );
    return new K0rdentScene(scene, k0rdent);
  }

  get cluster(): TestCluster {
    return this.scene.cluster;
  }

  get driver(): Driver {
    return this.scene.driver;
  }

  async close(): Promise<void> {
    await this.k0rdent.stop();
    const { namespace } = this.cluster;
    await this.cluster.kubectl(['delete', 'multiclusterservices', '-l', `test=${namespace}`]);
    await this.cluster.kubectl(['delete', 'clusterrolebinding', `liftlock-k0rdent-${namespace}`]);
    await this.scene.close();
  }

  observe(...containers: readonly string[]) {
    return this.scene.observe(...containers);
  }

  context(changes: Partial<StepContext>): ReturnType<typeof contextOf> {
    return this.scene.context(changes);
  }

  /** A cluster with one service, deployed. */
  async start(object: string, version: string, templateChain?: string): Promise<Service> {
    await this.cluster.apply(clusterDeployment(object, {}, service(version, templateChain)));
    const place = { holder: 'ClusterDeployment', object } as const;
    return this.service(place, template(version));
  }

  /** Once k0rdent has deployed it. */
  async service(at: Pick<ServicePlace, 'holder' | 'object'>, deployed: string): Promise<Service> {
    const { namespace } = this.cluster;
    const place = { ...at, namespace, releaseNamespace: 'web', name: 'ingress' };
    const { uid } = (await this.cluster.get(at.holder, at.object)).metadata;
    const one = new Service(this, place, uid);
    await one.untilDeployed(deployed);
    return one;
  }
}

export function service(version: string, templateChain?: string): object {
  return {
    ...{ name: 'ingress', namespace: 'web', template: template(version), values: 'replicas: 2' },
    ...(templateChain === undefined ? {} : { templateChain }),
  };
}

export function clusterDeployment(
  name: string,
  labels: object,
  ...services: readonly object[]
): object {
  return {
    ...K0RDENT,
    kind: 'ClusterDeployment',
    metadata: { name, labels },
    spec: { template: 'adopted-cluster-1-0-1', serviceSpec: { services } },
  };
}

function chain(
  name: string,
  ...edges: ReadonlyArray<readonly [string, readonly string[]]>
): object {
  return {
    ...K0RDENT,
    kind: 'ServiceTemplateChain',
    metadata: { name },
    spec: {
      supportedTemplates: edges.map(([from, nexts]) => ({
        name: template(from),
        availableUpgrades: nexts.map((to) => ({ name: template(to) })),
      })),
    },
  };
}

/** One service in the middle of its upgrade: each action as the services would ask for it. */
export class Service {
  readonly container: string;
  readonly upgrade = systemIds.next('upg');
  private token = 0;

  constructor(
    private readonly scene: K0rdentScene,
    private readonly place: ServicePlace,
    readonly containerId: string,
  ) {
    this.container = serviceText(place);
  }

  private attempt(changes: Partial<StepContext> = {}): ReturnType<typeof contextOf> {
    this.token += 1;
    return this.scene.context({ upgrade: this.upgrade, token: this.token, ...changes });
  }

  private planned(hop = 1): { container: string; containerId: string; keptName: string } {
    const { container, containerId } = this;
    return { container, containerId, keptName: serviceRecordText(this.place, hop) };
  }

  replace = (to: string, more: object = {}, changes?: Partial<StepContext>, hop?: number) =>
    this.scene.driver.instances.replace(this.attempt(changes), {
      ...this.planned(hop),
      image: { reference: `ServiceTemplate/${template(to)}`, id: templateId(template(to)) },
      rolling: true,
      env: {},
      ...more,
    });

  restoreOld = (more: object = {}, changes?: Partial<StepContext>, hop?: number) =>
    this.scene.driver.instances.restoreOld(this.attempt(changes), {
      ...this.planned(hop),
      start: true,
      rolling: true,
      ...more,
    });

  removeOld = (hop?: number) =>
    this.scene.driver.instances.removeOld(this.attempt(), this.planned(hop));

  check = (version: string, check: object = { type: 'health' }) =>
    this.scene.driver.checks.check(this.attempt(), {
      container: this.container,
      imageId: templateId(template(version)),
      check: { deadlineSeconds: 60, intervalMs: 100, stableSeconds: 0, ...check },
    } as never);

  assertUnchanged = (version: string) =>
    this.scene.driver.checks.assertUnchanged(this.attempt(), {
      container: this.container,
      containerId: this.containerId,
      imageReference: `ServiceTemplate/${template(version)}`,
      running: true,
    });

  /** As a person sees it. */
  now = (): Promise<Holder> => this.scene.cluster.get<Holder>(this.place.holder, this.place.object);

  async entry() {
    return (await this.now()).spec.serviceSpec?.services?.[0];
  }

  async untilDeployed(name: string): Promise<void> {
    const version = name.replace('ingress-', '');
    await this.check(version);
  }

  records = () =>
    this.scene.cluster.list('configmaps', '-l', `liftlock.dev/upgrade=${this.upgrade}`);
}
