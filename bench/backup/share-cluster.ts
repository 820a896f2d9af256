import { join } from 'node:path';
import { applyRole, kubeUp } from '../../test/support/kube-up.js';
import { openCluster, type TestCluster } from '../../test/support/test-cluster.js';

/** A cluster whose Deployments have data on a share: an API server alone, since none of them has a pod that runs. */
export class ShareCluster {
  private constructor(
    private readonly cluster: TestCluster,
    private readonly stopCluster: () => Promise<void>,
  ) {}

  static async start(folder: string): Promise<ShareCluster> {
    const running = await kubeUp(['--api-only'], join(folder, 'cluster'));
    try {
      await applyRole(running.kubeconfig);
      const place = { kubeconfig: running.kubeconfig, registry: 'none.invalid' };
      return new ShareCluster(await openCluster(place, false), () => running.stop());
    } catch (error) {
      await running.stop();
      throw error;
    }
  }

  /** What services need to sign in. */
  get env(): Readonly<Record<string, string>> {
    return this.cluster.secrets;
  }

  /** As an environment names it. */
  get target(): object {
    const { endpoint, credentials } = this.cluster;
    return { name: TARGET, driver: 'kubernetes', endpoint, credentials };
  }

  async newDeployment(name: string): Promise<void> {
    const labels = { app: name };
    const containers = [{ name: 'main', image: 'none.invalid/none' }];
    await this.cluster.apply({
      ...{ apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name } },
      spec: {
        ...{ replicas: 0, selector: { matchLabels: labels } },
        template: { metadata: { labels }, spec: { containers } },
      },
    });
  }

  /** A Deployment, as a component names it. */
  workload(name: string): object {
    return { namespace: this.cluster.namespace, name };
  }

  async stop(): Promise<void> {
    await this.stopCluster();
  }
}

/** The one target of each environment. */
export const TARGET = 'host';
