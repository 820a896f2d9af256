import { mebibytes } from '#kernel';

/** A layer as it will lie on a disk. */
export interface RoomLayer {
  /** Digest of what is unpacked; undefined where nobody told: then it counts as one that nobody else has. */
  readonly diffId: string | undefined;
  /** Bytes that it takes at least. */
  readonly bytes: number;
}

/** What somebody is about to write onto a disk. */
export interface Wanted {
  /** Layers of each image, the lowest first. */
  readonly images: ReadonlyArray<readonly RoomLayer[]>;
  /** Bytes besides, which are gone again in the end: an archive that the engine unpacks before it takes the layers from it. */
  readonly passing: number;
  /** What was free when it was looked, in bytes. */
  readonly free: number;
}

/** How much is needed and free, in bytes, for those that are looked at together. */
export interface Needed {
  readonly free: number;
  /** By all who ask together, and by those who write already. */
  readonly needed: number;
  /** Of that what those need who write already. */
  readonly others: number;
  /** How many of the same upgrade ask together. */
  readonly together: number;
}

/** Nobody of those who ask together may begin. */
export class NoRoom extends Error {
  constructor(readonly found: Needed) {
    super(`${found.needed} bytes are needed, and ${found.free} are free`);
  }
}

/** For messages: who else needs room at the same place. */
export function othersInTheWay({ needed, others, together }: Needed): string[] {
  return [
    ...(together > 1
      ? [
          `the ${together} that this upgrade brings there need ${mebibytes(needed - others)} together`,
        ]
      : []),
    ...(others > 0 ? [`what is on its way there needs ${mebibytes(others)} more`] : []),
  ];
}

/** Layers of the images that are there already, each image's lowest first. */
export type LookUpChains = () => Promise<ReadonlyArray<readonly string[]>>;

/**
 * The disk of one engine, or of one node, for all in this process that are about to write onto it. What counts is the least that each needs, so that
 * nobody is refused for whom there is room: a layer that several bring counts once, and what has been written counts no more.
 */
export class Room {
  private readonly seats = new Set<Seat>();
  /** Decisions wait for each other: of two that both find room, the second one must know of the first. */
  private turn: Promise<void> = Promise.resolve();

  /** To be called before looking how much it is: others of the same upgrade wait for it, and are looked at with it. */
  enter(upgrade: string): Seat {
    const seat = new Seat(upgrade, {
      settled: () => this.decide(upgrade),
      left: () => {
        this.seats.delete(seat);
        this.decide(upgrade);
      },
    });
    this.seats.add(seat);
    return seat;
  }

  /** An upgrade of which one image finds no room fails: all that it brings is looked at together, once it is known how much that is. */
  private decide(upgrade: string): void {
    const its = [...this.seats].filter((seat) => seat.upgrade === upgrade);
    if (its.some(({ state }) => state === 'looking')) return;
    const asking = its.filter(({ state }) => state === 'asking');
    for (const seat of asking) seat.state = 'in-turn';
    if (asking.length > 0) this.turn = this.turn.then(() => this.answer(asking));
  }

  get isEmpty(): boolean {
    return this.seats.size === 0;
  }

  private async answer(asking: readonly Seat[]): Promise<void> {
    try {
      let found = this.count(asking);
      // it takes a request for each image that is there: only where it matters
      if (found.needed > found.free) {
        const there = (await asking[0]?.lookUp()) ?? [];
        for (const seat of this.seats) seat.dropWhatIsThere(there);
        found = this.count(asking);
      }
      const answer = found.needed > found.free ? new NoRoom(found) : found;
      for (const seat of asking) seat.answered(answer);
    } catch (error) {
      for (const seat of asking) seat.answered(error as Error);
    }
  }

  private count(asking: readonly Seat[]): Needed {
    const counted = new Set<string>();
    let others = 0;
    for (const seat of this.seats)
      if (seat.state === 'writing') others += Math.max(0, seat.needs(counted) - seat.written);
    const own = asking.reduce((sum, seat) => sum + seat.needs(counted), 0);
    const free = Math.max(...asking.map((seat) => seat.wanted.free));
    return { free, needed: own + others, others, together: asking.length };
  }
}

/** One who writes, or wants to; it must leave, however it ends. */
export class Seat {
  state: 'looking' | 'asking' | 'in-turn' | 'writing' = 'looking';
  wanted: Wanted = { images: [], passing: 0, free: 0 };
  /** Bytes of what it wanted. */
  written = 0;
  lookUp: LookUpChains = () => Promise.resolve([]);
  private answer: (found: Needed | Error) => void = () => undefined;

  constructor(
    readonly upgrade: string,
    private readonly room: { readonly settled: () => void; readonly left: () => void },
  ) {}

  /**
   * Waits until all of its upgrade have looked, and says whether there is room.
   * @throws NoRoom, what `lookUp` throws, and the signal's reason
   */
  async settle(wanted: Wanted, lookUp: LookUpChains, signal: AbortSignal): Promise<Needed> {
    signal.throwIfAborted();
    this.wanted = wanted;
    this.lookUp = lookUp;
    const answered = new Promise<Needed>((resolve, reject) => {
      const abort = (): void => reject(signal.reason as Error);
      signal.addEventListener('abort', abort, { once: true });
      this.answer = (found) => {
        signal.removeEventListener('abort', abort);
        if (found instanceof Error) reject(found);
        else resolve(found);
      };
    });
    this.state = 'asking';
    this.room.settled();
    return answered;
  }

  leave(): void {
    this.room.left();
  }

  answered(found: Needed | Error): void {
    if (!(found instanceof Error)) this.state = 'writing';
    this.answer(found);
  }

  /**
   * Bytes that it needs in all, but for layers that another one counts for.
   * @param counted gets those that count now
   */
  needs(counted: Set<string>): number {
    let sum = this.wanted.passing;
    for (const image of this.wanted.images) {
      // an engine keeps a layer once for all images that have the same ones below it
      let key = '';
      for (const { diffId, bytes } of image) {
        key = `${key}/${diffId ?? ''}`;
        if (diffId !== undefined && counted.has(key)) continue;
        counted.add(key);
        sum += bytes;
      }
    }
    return sum;
  }

  /** The first layers of an image that are the first ones of another count no more: each lies upon those below it. */
  dropWhatIsThere(there: ReadonlyArray<readonly string[]>): void {
    const images = this.wanted.images.map((image) => {
      const same = (chain: readonly string[]): number => {
        const end = image.findIndex(
          ({ diffId }, at) => diffId === undefined || diffId !== chain[at],
        );
        return end === -1 ? image.length : end;
      };
      const most = Math.max(0, ...there.map(same));
      return image.map((layer, at) => (at < most ? { ...layer, bytes: 0 } : layer));
    });
    this.wanted = { ...this.wanted, images };
  }
}
