import { expect, vi } from 'vitest';
import { workloadText, type WorkloadKind } from '#contracts';
import { SecretStore, type Driver, type StepContext } from '#drivers/core';
import { kubernetesDriver } from '#drivers/kubernetes';
import { LiftlockError, systemIds } from '#kernel';
import {
  startKubernetes,
  type KubeJson,
  type TestCluster,
} from '../../../../test/support/kubernetes.js';
import { PlainRepository, serviceImage } from '../../../../test/support/registry-image.js';
import { toolsImage } from './tools-image.js';
import { contextOf, crashAt } from '../../../../test/support/step-context.js';

// a kubelet of 1.20 that failed to end a container tries again a minute and more later, and a test may meet that several times
vi.setConfig({ testTimeout: 600_000 });

/** Ends at once on SIGTERM, as a service should. */
export const SLEEPS = `#!/bin/sh
trap 'exit 0' TERM INT
echo "version $0 runs"
sleep 100000 & wait $!
`;
export const CRASHES = `#!/bin/sh
echo "cannot open /data/settings"
exit 3
`;

/** A namespace of a cluster, a driver with the least role there, and images to run in it. */
export class KubeScene {
  private constructor(
    readonly cluster: TestCluster,
    readonly driver: Driver,
    private readonly repository: PlainRepository,
    /** Image of helper pods, as the driver knows it. */
    readonly helper: string,
  ) {}

  static async open(nodes = false): Promise<KubeScene> {
    const cluster = await startKubernetes(nodes);
    const secrets = new SecretStore({ variables: cluster.secrets });
    const repository = new PlainRepository(cluster.registry, cluster.namespace);
    const helper = `${repository.host}/${repository.name}:helper`;
    return new KubeScene(cluster, await kubernetesDriver(secrets, helper), repository, helper);
  }

  async close(): Promise<void> {
    await this.driver.close();
    await this.cluster.remove();
  }

  /** An image by its tag, and by its digest, as a plan would name it. */
  async image(tag: string, script = SLEEPS): Promise<{ reference: string; digest: string }> {
    const digest = await this.repository.push(tag, await serviceImage(`${script}# ${tag}\n`));
    const { host, name } = this.repository;
    return { reference: `${host}/${name}:${tag}`, digest: `${host}/${name}@${digest}` };
  }

  /** The image of helper pods, with the tools of this machine. */
  async pushHelper(): Promise<void> {
    await this.repository.push('helper', await toolsImage());
  }

  /** @param endpoint what it is reached by; default: the API server itself */
  target(endpoint = this.cluster.endpoint) {
    const { credentials } = this.cluster;
    const driver = 'kubernetes' as const;
    return { name: 'one', driver, site: 'main', endpoint, credentials };
  }

  context(changes: Partial<StepContext> = {}): ReturnType<typeof contextOf> {
    // an attempt ends no sooner than the longest check in it
    const signal = AbortSignal.timeout(480_000);
    return contextOf(this.cluster.endpoint, { target: this.target(), signal, ...changes });
  }

  async observe(...containers: readonly string[]) {
    const query = { target: this.target(), containers, images: [] };
    return this.driver.instances.observe(query, AbortSignal.timeout(60_000));
  }

  /** Makes a workload, and waits until its pods are there. */
  async start(kind: WorkloadKind, name: string, image: string, changes: Changes = {}) {
    await this.cluster.apply(workload(kind, name, image, changes));
    await this.cluster.kubectl(['rollout', 'status', `${kind}/${name}`, '--timeout=240s']);
    return this.instance(kind, name);
  }

  async instance(kind: WorkloadKind, name: string): Promise<Upgrading> {
    const { uid } = (await this.cluster.get(kind, name)).metadata;
    return new Upgrading(this, kind, name, uid);
  }
}

export interface Changes {
  readonly replicas?: number;
  readonly container?: object;
  readonly pod?: object;
  readonly spec?: object;
  readonly metadata?: object;
}

export function workload(
  kind: WorkloadKind,
  name: string,
  image: string,
  { replicas = 1, container = {}, pod = {}, spec = {}, metadata = {} }: Changes = {},
): object {
  const labels = { app: name };
  return {
    apiVersion: 'apps/v1',
    kind,
    metadata: { name, ...metadata },
    spec: {
      ...(kind === 'DaemonSet' ? {} : { replicas }),
      ...(kind === 'StatefulSet' ? { serviceName: name } : {}),
      selector: { matchLabels: labels },
      template: {
        metadata: { labels },
        spec: {
          terminationGracePeriodSeconds: 2,
          containers: [{ name: 'main', image, ...container }],
          ...pod,
        },
      },
      ...spec,
    },
  };
}

/** One instance in the middle of its upgrade: each action as the services would ask for it. */
export class Upgrading {
  readonly container: string;
  readonly keptName: string;
  readonly upgrade = systemIds.next('upg');
  private token = 0;

  constructor(
    private readonly scene: KubeScene,
    readonly kind: WorkloadKind,
    readonly name: string,
    readonly containerId: string,
  ) {
    const { namespace } = scene.cluster;
    this.container = workloadText({ namespace, kind, name });
    this.keptName = `${namespace}/ConfigMap/liftlock-${kind.toLowerCase()}-${name}`;
  }

  attempt(changes: Partial<StepContext> = {}): ReturnType<typeof contextOf> {
    this.token += 1;
    return this.scene.context({ upgrade: this.upgrade, token: this.token, ...changes });
  }

  private get planned() {
    const { container, containerId, keptName } = this;
    return { container, containerId, keptName };
  }

  stop = (changes?: Partial<StepContext>) =>
    this.scene.driver.instances.stop(this.attempt(changes), this.planned);

  replace = (
    image: { reference: string; digest?: string },
    more: object = {},
    changes?: Partial<StepContext>,
  ) => {
    const input = { ...this.planned, image, env: {}, ...more };
    return this.scene.driver.instances.replace(this.attempt(changes), input);
  };

  stopNew = (changes?: Partial<StepContext>) =>
    this.scene.driver.instances.stopNew(this.attempt(changes), this.planned);

  restoreOld = (changes?: Partial<StepContext>, more: object = {}) =>
    this.scene.driver.instances.restoreOld(this.attempt(changes), {
      ...this.planned,
      start: true,
      ...more,
    });

  removeNew = (changes?: Partial<StepContext>) =>
    this.scene.driver.instances.removeNew(this.attempt(changes), this.planned);

  removeOld = (changes?: Partial<StepContext>) =>
    this.scene.driver.instances.removeOld(this.attempt(changes), this.planned);

  check = (check: object, more: object = {}, changes?: Partial<StepContext>) => {
    // the kubelet of 1.20 lets pods go every ten seconds, and one it failed to end once later still
    const timing = { deadlineSeconds: 240, intervalMs: 100, stableSeconds: 0 };
    const input = { container: this.container, check: { ...timing, ...check }, ...more };
    return this.scene.driver.checks.check(this.attempt(changes), input as never);
  };

  /** As a person sees it. */
  now = (): Promise<KubeJson> => this.scene.cluster.get(this.kind, this.name);

  async image(): Promise<string> {
    return (await this.now()).spec.template.spec.containers[0].image;
  }

  /** Those in which something runs. */
  pods = async (): Promise<KubeJson[]> => {
    const all = await this.scene.cluster.list('pods', '-l', `app=${this.name}`);
    return all.filter((pod: KubeJson) =>
      (pod.status.containerStatuses ?? []).some((one) => one.state.running !== undefined),
    );
  };

  records = (): Promise<KubeJson[]> =>
    this.scene.cluster.list('configmaps', '-l', `liftlock.dev/upgrade=${this.upgrade}`);
}

/** Without what the API server and its controllers own. */
export function asWritten({ metadata, spec }: KubeJson): object {
  const { annotations = {}, labels } = metadata;
  const {
    'deployment.kubernetes.io/revision': _revision,
    'deprecated.daemonset.template.generation': _generation,
    ...others
  } = annotations;
  return { labels, annotations: others, spec };
}

/** Cuts attempts off at each place where something is changed until one gets through; afterwards once more, to see that nothing is left to do. */
export async function expectToFindItself(
  action: (changes?: Partial<StepContext>) => Promise<{ found: string }>,
): Promise<number> {
  let cuts = 0;
  for (let attempt = 1; ; attempt += 1) {
    // the question after the first is behind a change: a crash between two calls
    const changes = attempt <= 8 ? crashAt(2) : {};
    const outcome = await action(changes).then(
      () => 'done',
      (error: unknown) => LiftlockError.from(error).code,
    );
    if (outcome === 'done') break;
    expect(outcome).toBe('fenced');
    cuts += 1;
  }
  expect((await action()).found).not.toBe('done_now');
  return cuts;
}
