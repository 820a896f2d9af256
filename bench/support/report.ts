/** One line of a benchmark's answer. */
export interface Case {
  readonly bench: string;
  readonly case: string;
  readonly value: number;
  readonly unit: string;
  /** What it is measured beside, in the same run. */
  readonly against: string;
  readonly ratio: number | null;
  readonly bar: number | null;
  readonly holds: boolean;
}

export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const middle = sorted.length >> 1;
  const upper = sorted[middle] ?? Number.NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? Number.NaN)) / 2;
}

/** Prints a line of JSON for each case. @returns the exit code: 1 when one does not hold. */
export function report(cases: readonly Case[]): number {
  for (const one of cases) {
    const rounded = {
      ...one,
      value: round(one.value),
      ratio: one.ratio === null ? null : round(one.ratio),
    };
    process.stdout.write(`${JSON.stringify(rounded)}\n`);
  }
  return cases.every((one) => one.holds) ? 0 : 1;
}

function round(value: number): number {
  return Math.round(value * 1000) / 1000;
}
