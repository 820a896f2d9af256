import { PLAN_PAGE } from '#contracts';

/** A part of a plan's canonical JSON, as it is stored and handed on. */
export interface PlanPage {
  /** Characters before it. */
  readonly startsAt: number;
  readonly text: string;
}

/** Cuts a text that comes piece by piece into pages. */
export class PageCutter {
  private readonly made: PlanPage[] = [];
  private rest = '';

  /** @param size characters of a page; one more where it would end between the two halves of a character, which no database stores */
  constructor(private readonly size = PLAN_PAGE) {}

  /** Of all that came. */
  get characters(): number {
    const last = this.made.at(-1);
    return (last === undefined ? 0 : last.startsAt + last.text.length) + this.rest.length;
  }

  add(piece: string): void {
    this.rest += piece;
    let from = 0;
    // the last one stays for what comes next
    while (this.rest.length - from > this.size + 1) from = this.cutAt(from);
    if (from > 0) this.rest = this.rest.slice(from);
  }

  /** All of them; nothing can be added any more. */
  end(): readonly PlanPage[] {
    for (let from = 0; from < this.rest.length;) from = this.cutAt(from);
    this.rest = '';
    return this.made;
  }

  private cutAt(from: number): number {
    const end = from + this.size;
    const to = isSecondHalf(this.rest.charCodeAt(end)) ? end + 1 : end;
    const last = this.made.at(-1);
    const startsAt = last === undefined ? 0 : last.startsAt + last.text.length;
    this.made.push({ startsAt, text: this.rest.slice(from, to) });
    return to;
  }
}

/** Whether a code unit is the second of the two that stand for one character (UTF-16). */
function isSecondHalf(unit: number): boolean {
  return unit >= 0xdc00 && unit <= 0xdfff;
}
