/** Colours of a terminal (ECMA-48 SGR), or none. */
export interface Colours {
  readonly good: (text: string) => string;
  readonly bad: (text: string) => string;
  readonly warn: (text: string) => string;
  readonly dim: (text: string) => string;
  readonly bold: (text: string) => string;
}

const plain = (text: string): string => text;
export const NO_COLOURS: Colours = {
  good: plain,
  bad: plain,
  warn: plain,
  dim: plain,
  bold: plain,
};

const sgr =
  (begin: number, end: number) =>
  (text: string): string =>
    text === '' ? '' : `\u001b[${begin}m${text}\u001b[${end}m`;
const COLOURS: Colours = {
  good: sgr(32, 39),
  bad: sgr(31, 39),
  warn: sgr(33, 39),
  dim: sgr(2, 22),
  bold: sgr(1, 22),
};

export function coloursOf(wanted: boolean): Colours {
  return wanted ? COLOURS : NO_COLOURS;
}
