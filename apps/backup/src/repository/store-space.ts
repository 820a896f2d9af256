import { Injectable } from '@nestjs/common';
import { LiftlockError, mebibytes } from '#kernel';
import { Repository } from './repository.js';

/** Room that one snapshot was promised. */
export interface PromisedRoom {
  /** So much of it was written. */
  written(bytes: number): void;
  /** The snapshot has ended. */
  release(): void;
}

/** The repository's free room. What snapshots of this process under way still need of it counts as taken. */
@Injectable()
export class StoreSpace {
  private readonly promised = new Set<{ left: number }>();

  constructor(private readonly repository: Repository) {}

  /**
   * @param what for messages: whose archive it is for
   * @param wayOut what can be done besides making room
   * @throws LiftlockError `disk_full` when there is less than that
   */
  async promise(bytes: number, what: string, wayOut: string): Promise<PromisedRoom> {
    const { store } = this.repository;
    const mine = { left: bytes };
    const others = [...this.promised].reduce((sum, { left }) => sum + left, 0);
    // before the first wait: two at once must not both find the same room
    this.promised.add(mine);
    try {
      const free = await store.freeBytes();
      if (free !== undefined && bytes > free - others) {
        const taken = others === 0 ? '' : `, ${mebibytes(others)} of them for snapshots under way`;
        throw new LiftlockError(
          'disk_full',
          `no space is left for ${what}: it may need ${mebibytes(bytes)}, and the backup repository ${store.location} has ${mebibytes(free)} free${taken}; ` +
            `make room (liftlock backups prune)${wayOut}; nothing was written`,
          { details: { repository: store.location, freeBytes: free, neededBytes: bytes } },
        );
      }
    } catch (error) {
      this.promised.delete(mine);
      throw error;
    }
    return {
      written: (done) => void (mine.left = Math.max(0, mine.left - done)),
      release: () => void this.promised.delete(mine),
    };
  }
}
