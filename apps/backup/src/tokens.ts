/** Injection tokens of what has no class of its own. */
export const CLOCK = Symbol('clock');
/** Folders of this machine that data may be in: absolute. */
export const FOLDERS = Symbol('folders');
/** Bytes of an archive for each byte of data, where no earlier backup tells. */
export const EXPECTED_RATIO = Symbol('expected ratio');
/** How what stands still for a snapshot is held, and looked after. */
export const QUIETING = Symbol('quieting');
export interface Quieting {
  /** Milliseconds for which a record is held without a sign of life. */
  readonly leaseMs: number;
  /** Milliseconds between two looks for what nobody holds any more. */
  readonly sweepMs: number;
  /** Whose targets are looked after. */
  readonly site: string;
}
/** Of what is asked for by hand, so many parts at the same time. */
export const PARTS_AT_ONCE = Symbol('parts at once');
/** How often backups are read back, and how fast. */
export const VERIFYING = Symbol('verifying');
export interface Verifying {
  readonly site: string;
  /** Days after which each is read back once more; 0: never by itself. */
  readonly everyDays: number;
  readonly bytesPerSecond: number;
  /** Milliseconds between two looks for one that is due. */
  readonly lookMs: number;
}
