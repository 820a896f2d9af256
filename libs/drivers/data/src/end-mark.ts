import { randomBytes } from 'node:crypto';

/** What a script does when it has ended well: one whose output is wanted waits until all of it was read. */
export type ScriptEnd = 'ends' | 'ends-when-read';

/** In ASCII, and the same nowhere else. */
export function newMark(): string {
  return randomBytes(16).toString('hex');
}

/**
 * A script that ends both its outputs with a mark when it ended well: over a connection neither an exit code nor the end of a stream says that
 * all came. One that waits is told by a line; a connection that is lost ends the waiting, too, since standard input is closed with it.
 */
export function withMark(script: string, mark: string, end: ScriptEnd): string {
  return [
    '(',
    ':', // a script may be empty
    script,
    ')',
    'code=$?',
    'if [ "$code" != 0 ]; then exit "$code"; fi',
    `printf '%s' ${mark}; printf '%s' ${mark} >&2`,
    ...(end === 'ends' ? [] : ['read -r read']),
    'exit 0',
  ].join('\n');
}

/** The words without their mark. @returns nothing when they do not end with it */
export function wordsBefore(mark: string, said: string): string | undefined {
  return said.endsWith(mark) ? said.slice(0, -mark.length).trim() : undefined;
}

/** Passes an output on but for what came last, at least as much as the mark has: it is looked for in that alone. */
export class HeldEnd {
  private last: Buffer = Buffer.alloc(0);

  constructor(private readonly mark: string) {}

  /** Whether what came so far ends with the mark. */
  get isMarked(): boolean {
    return this.last.subarray(-this.mark.length).equals(Buffer.from(this.mark));
  }

  /** What may be passed on: whole pieces where that can be, neither a copy nor a second piece for each. */
  take(piece: Buffer): Buffer | undefined {
    const least = this.mark.length;
    if (piece.length >= least) {
      const passed = this.last;
      this.last = piece;
      return passed.length > 0 ? passed : undefined;
    }
    const both = Buffer.concat([this.last, piece]);
    const passed = Math.max(0, both.length - least);
    this.last = both.subarray(passed);
    return passed > 0 ? both.subarray(0, passed) : undefined;
  }

  /** What is before the mark, once it has come. */
  get rest(): Buffer {
    return this.last.subarray(0, -this.mark.length);
  }
}
