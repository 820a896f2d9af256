/** How messages name a cluster. */
export interface ClusterName {
  readonly name: string;
  readonly endpoint: string;
}
