/** Since when each of several things has been seen at every look. */
export class Lasting {
  private readonly since = new Map<string, number>();
  private seen = new Set<string>();

  beginLook(): void {
    this.seen = new Set();
  }

  /** @returns whether it has been seen for so long, in milliseconds, this look included */
  hasLasted(key: string, graceMs: number): boolean {
    const now = performance.now();
    const since = this.since.get(key) ?? now;
    this.since.set(key, since);
    this.seen.add(key);
    return now - since >= graceMs;
  }

  /** What was not seen any more begins anew when it comes again. */
  endLook(): void {
    for (const key of this.since.keys()) if (!this.seen.has(key)) this.since.delete(key);
  }
}
