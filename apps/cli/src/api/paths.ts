/** Path of one upgrade, whatever a person typed for its id. */
export function upgradePath(id: string): string {
  return `/v1/upgrades/${encodeURIComponent(id)}`;
}
