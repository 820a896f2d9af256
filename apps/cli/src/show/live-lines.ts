import { stripVTControlCharacters } from 'node:util';
import type { Output } from '../output.js';
import { clip } from './text.js';

const FRAMES = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];
const REDRAW_MS = 120;
/** What is under way takes at most so many lines; the rest is counted, not listed. */
const MAX_LIVE = 8;

/**
 * Lines that stay, and below them, on a terminal, a few that are drawn again until they are done. Where there is no terminal only
 * what stays is written. What is under way may take several lines each; those of the foot are always there.
 */
export class LiveLines {
  private drawn = 0;
  private frame = 0;
  private timer: NodeJS.Timeout | undefined;

  constructor(
    private readonly write: (text: string) => void,
    private readonly terminal: { readonly width: () => number } | undefined,
    private readonly live: (mark: string) => readonly string[],
    private readonly foot: () => readonly string[] = () => [],
  ) {}

  static on(
    output: Output,
    toError: boolean,
    live: (mark: string) => readonly string[],
    foot?: () => readonly string[],
  ): LiveLines {
    const write = toError ? output.writeError : output.write;
    const isTerminal = toError ? output.isErrorTerminal : output.isTerminal;
    return new LiveLines(write, isTerminal ? { width: output.width } : undefined, live, foot);
  }

  start(): void {
    if (this.terminal === undefined) return;
    this.timer = setInterval(() => this.draw(), REDRAW_MS);
    this.timer.unref();
  }

  /** Ends the live lines: what stays, stays. */
  stop(): void {
    clearInterval(this.timer);
    this.erase();
  }

  print(lines: readonly string[]): void {
    if (lines.length === 0) return;
    this.erase();
    this.write(lines.map((line) => `${line}\n`).join(''));
    if (this.timer !== undefined) this.draw();
  }

  private draw(): void {
    if (this.terminal === undefined) return;
    this.frame = (this.frame + 1) % FRAMES.length;
    const all = this.live(FRAMES[this.frame] ?? '');
    const shown: string[] = [];
    let listed = 0;
    for (const entry of all) {
      const its = entry.split('\n');
      if (shown.length + its.length > MAX_LIVE) break;
      shown.push(...its);
      listed += 1;
    }
    const more = all.length > listed ? [`  and ${all.length - listed} more`] : [];
    const width = this.terminal.width();
    const lines = [...shown, ...more, ...this.foot()].map((line) => clipStyled(line, width - 1));
    const text = lines.map((line) => `${line}\n`).join('');
    if (text === '' && this.drawn === 0) return;
    this.write(`${this.up()}${text}`);
    this.drawn = lines.length;
  }

  private erase(): void {
    if (this.drawn === 0) return;
    this.write(this.up());
    this.drawn = 0;
  }

  /** Back to the first live line, and all below it cleared. */
  private up(): string {
    return this.drawn === 0 ? '' : `\u001b[${this.drawn}A\r\u001b[J`;
  }
}

/** A line that wraps would make the count of lines wrong. Colours take no room. */
export function clipStyled(line: string, width: number): string {
  const bare = stripVTControlCharacters(line);
  return bare.length <= width ? line : clip(bare, width);
}
