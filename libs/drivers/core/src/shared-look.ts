/** One look for all that ask about the same thing at the same time. */
export class SharedLook<Thing extends object, Found> {
  private readonly underWay = new WeakMap<Thing, Promise<Found>>();

  /**
   * @param look begun only when nobody looks. Its failure is its asker's own, whose step may have ended; another one that waits looks itself
   * @throws the signal's reason, or what `look` throws
   */
  async at(thing: Thing, signal: AbortSignal, look: () => Promise<Found>): Promise<Found> {
    let theirs = this.underWay.get(thing);
    while (theirs !== undefined) {
      try {
        return await theirs;
      } catch {
        signal.throwIfAborted();
      }
      const next = this.underWay.get(thing);
      theirs = next === theirs ? undefined : next;
    }
    const found = look();
    this.underWay.set(thing, found);
    try {
      return await found;
    } finally {
      if (this.underWay.get(thing) === found) this.underWay.delete(thing);
    }
  }
}
