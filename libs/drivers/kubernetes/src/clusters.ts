import type { SecretStore } from '#drivers/core';
import { canonicalJson } from '#kernel';
import type { ClusterPlace } from './access.js';
import { Cluster } from './cluster.js';

/** The clusters that were reached so far: as many as there are targets. */
export class Clusters {
  private readonly open = new Map<string, Cluster>();

  constructor(private readonly secrets: SecretStore) {}

  of({ name, endpoint, credentials }: ClusterPlace): Cluster {
    const key = canonicalJson({ name, endpoint, credentials: credentials ?? null });
    const known = this.open.get(key);
    if (known !== undefined) return known;
    const cluster = new Cluster({ name, endpoint, credentials }, this.secrets);
    this.open.set(key, cluster);
    return cluster;
  }

  close(): void {
    for (const cluster of this.open.values()) cluster.close();
    this.open.clear();
  }
}
