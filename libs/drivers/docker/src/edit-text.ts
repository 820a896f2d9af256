import type { EditWork } from '#contracts';

/** What a text file is to an edit. */
export type Edited =
  /** All that is to be replaced is there, once. */
  | { readonly is: 'open'; readonly content: Buffer }
  /** All that is to be there afterwards is there, once, and nothing of what was before. */
  | { readonly is: 'made' }
  | { readonly is: 'other'; readonly why: string };

interface Line {
  readonly text: string;
  /** Nothing, where the file ends without one. */
  readonly end: string;
}

/** Replaces lines, as bytes whatever their encoding is: all of them, or none. How lines end stays as it is. */
export function editText(content: Buffer, replace: EditWork['replace']): Edited {
  const edited = replaceAll(content, replace);
  if (edited.is !== 'open') return edited;
  const back = replaceAll(
    edited.content,
    replace.map(({ line, with: other }) => ({ line: other, with: line })),
  );
  return back.is === 'open' && back.content.equals(content)
    ? edited
    : {
        is: 'other',
        why: 'nobody could put it back as it is: the edits touch one another, or these lines end differently',
      };
}

function replaceAll(content: Buffer, replace: EditWork['replace']): Edited {
  const lines = linesOf(content);
  const [first] = lines;
  const usualEnd = first === undefined || first.end === '' ? '\n' : first.end;
  const splices: Array<{ at: number; count: number; lines: Line[] }> = [];
  let made = 0;
  for (const { line, with: other } of replace) {
    const [before, after] = [blockOf(line), blockOf(other)];
    const wanted = placesOf(lines, before, after);
    const there = placesOf(lines, after, before);
    const [at] = wanted;
    if (at !== undefined && wanted.length === 1 && there.length === 0) {
      const ends = lines.slice(at, at + before.length).map(({ end }) => end);
      const last = ends.at(-1) ?? '';
      const between = ends[0] === undefined || ends[0] === '' ? usualEnd : ends[0];
      const texts = after.map((text, index) => {
        return { text, end: index === after.length - 1 ? last : between };
      });
      splices.push({ at, count: before.length, lines: texts });
    } else if (there.length === 1 && (wanted.length === 0 || isSame(before, after))) {
      made += 1;
    } else {
      const found = `${shown(line)} is there ${times(wanted)}, and ${shown(other)} ${times(there)}`;
      return { is: 'other', why: `${found}; one of them must be there, once` };
    }
  }
  if (splices.length === 0) return { is: 'made' };
  if (made > 0)
    return { is: 'other', why: `${made} of its ${replace.length} edits are made, the others not` };
  // the last first: the places of those before it stay
  for (const { at, count, lines: texts } of splices.toSorted((a, b) => b.at - a.at))
    lines.splice(at, count, ...texts);
  const text = lines.map((one) => one.text + one.end).join('');
  return { is: 'open', content: Buffer.from(text, 'latin1') };
}

function linesOf(content: Buffer): Line[] {
  const whole = content.toString('latin1').match(/[^\n]*\n|[^\n]+$/g) ?? [];
  return whole.map((line) => {
    const end = /\r?\n$/.exec(line)?.[0] ?? '';
    return { text: line.slice(0, line.length - end.length), end };
  });
}

function blockOf(lines: string | readonly string[]): string[] {
  return [lines].flat().map((line) => Buffer.from(line, 'utf8').toString('latin1'));
}

/** Where a block of lines stands, but for within the other one: a line may be replaced by itself and another one. */
function placesOf(lines: readonly Line[], block: string[], other: string[]): number[] {
  const starts = (some: string[]): number[] =>
    lines.flatMap((_line, at) =>
      some.every((text, index) => lines[at + index]?.text === text) ? [at] : [],
    );
  const around = other.length > block.length ? starts(other) : [];
  return starts(block).filter(
    (at) => !around.some((one) => one <= at && at + block.length <= one + other.length),
  );
}

/** With the versions put in, what is replaced may be what replaces it. */
function isSame(before: readonly string[], after: readonly string[]): boolean {
  return before.join('\n') === after.join('\n');
}

function times({ length }: readonly number[]): string {
  switch (length) {
    case 0:
      return 'not at all';
    case 1:
      return 'once';
    default:
      return `${length} times`;
  }
}

function shown(lines: string | readonly string[]): string {
  return JSON.stringify([lines].flat().join('\n')).slice(0, 200);
}
