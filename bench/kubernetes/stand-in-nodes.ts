import {
  CoreV1Api,
  KubeConfig,
  PatchStrategy,
  setHeaderOptions,
  Watch,
  type V1Pod,
} from '@kubernetes/client-node';

/** A node that says nothing for 20 seconds counts as gone. */
const HEARTBEAT_MS = 5_000;
/** A watch that ends is begun again after so long. */
const AGAIN_MS = 200;
const AS_MERGE = setHeaderOptions('Content-Type', PatchStrategy.MergePatch);

/** Stands in for kubelets: nodes that say of each pod that it runs, and run nothing. */
export class StandInNodes {
  private stopped = false;
  private watching: AbortController | undefined;
  private heartbeat: NodeJS.Timeout | undefined;
  private again: NodeJS.Timeout | undefined;

  private constructor(
    private readonly config: KubeConfig,
    private readonly core: CoreV1Api,
    private readonly names: readonly string[],
  ) {}

  /** @param kubeconfig path of one whose user may do everything */
  static async start(kubeconfig: string, names: readonly string[]): Promise<StandInNodes> {
    const config = new KubeConfig();
    config.loadFromFile(kubeconfig);
    const nodes = new StandInNodes(config, config.makeApiClient(CoreV1Api), names);
    for (const name of names)
      await nodes.core.createNode({
        body: { metadata: { name, labels: { 'kubernetes.io/hostname': name } } },
      });
    await nodes.beat();
    nodes.heartbeat = setInterval(() => nodes.surely(nodes.beat()), HEARTBEAT_MS);
    await nodes.watch();
    return nodes;
  }

  stop(): void {
    this.stopped = true;
    clearInterval(this.heartbeat);
    clearTimeout(this.again);
    this.watching?.abort();
  }

  private async beat(): Promise<void> {
    const capacity = { cpu: '1000', memory: '1000Gi', pods: '1000', 'ephemeral-storage': '1000Gi' };
    const now = new Date().toISOString();
    const ready = { type: 'Ready', status: 'True', reason: 'KubeletReady', message: '' };
    const conditions = [{ ...ready, lastHeartbeatTime: now, lastTransitionTime: now }];
    const nodeInfo = { operatingSystem: 'linux', architecture: 'amd64' };
    const body = { status: { capacity, allocatable: capacity, conditions, nodeInfo } };
    await Promise.all(
      this.names.map((name) => this.core.patchNodeStatus({ name, body }, AS_MERGE)),
    );
  }

  /** Each pod as it is, and then each change. */
  private async watch(): Promise<void> {
    const ended = (): void => {
      if (this.stopped) return;
      this.again = setTimeout(() => this.surely(this.watch()), AGAIN_MS);
    };
    this.watching = await new Watch(this.config).watch(
      '/api/v1/pods',
      {},
      (_type, pod: V1Pod) => this.surely(this.look(pod)),
      ended,
    );
  }

  private async look({ metadata = {}, spec, status }: V1Pod): Promise<void> {
    const { name = '', namespace = '', deletionTimestamp } = metadata;
    if (spec === undefined || !this.names.includes(spec.nodeName ?? '')) return;
    if (deletionTimestamp !== undefined)
      await this.core.deleteNamespacedPod({ name, namespace, gracePeriodSeconds: 0 });
    else if (status?.phase === 'Pending' && status.containerStatuses === undefined)
      await this.core.patchNamespacedPodStatus({ name, namespace, body: running(spec) }, AS_MERGE);
  }

  /** A pod may be gone when it is its turn. */
  private surely(work: Promise<void>): void {
    work.catch((error: unknown) => {
      const code = (error as { code?: number }).code;
      if (!this.stopped && code !== 404 && code !== 409) process.stderr.write(`${String(error)}\n`);
    });
  }
}

function running({ containers }: NonNullable<V1Pod['spec']>): object {
  const now = new Date().toISOString();
  const conditions = ['Initialized', 'Ready', 'ContainersReady', 'PodScheduled'].map((type) => ({
    ...{ type, status: 'True', lastTransitionTime: now },
  }));
  const containerStatuses = containers.map(({ name, image = '' }) => ({
    ...{ name, image, imageID: `docker-pullable://${image}`, containerID: `docker://${name}` },
    ...{ ready: true, started: true, restartCount: 0, state: { running: { startedAt: now } } },
  }));
  return { status: { phase: 'Running', startTime: now, conditions, containerStatuses } };
}
