import { median, type Case } from './report.js';

/**
 * Runs two ways in pairs, the first one first in every other pair, so that neither always finds what the other has warmed up.
 * @returns what each way gave, by pair.
 */
export async function inPairs<T>(
  pairs: number,
  ours: () => Promise<T>,
  theirs: () => Promise<T>,
): Promise<{ readonly ours: readonly T[]; readonly theirs: readonly T[] }> {
  const found = { ours: [] as T[], theirs: [] as T[] };
  for (let pair = 0; pair < pairs; pair += 1) {
    const mine = async (): Promise<void> => void found.ours.push(await ours());
    const other = async (): Promise<void> => void found.theirs.push(await theirs());
    for (const one of pair % 2 === 0 ? [mine, other] : [other, mine]) await one();
    const last = { ours: found.ours.at(-1), theirs: found.theirs.at(-1) };
    process.stderr.write(`pair ${pair + 1} of ${pairs}: ${JSON.stringify(last)}\n`);
  }
  return found;
}

/** The median of the ratios of the pairs, so that what disturbs both counts for neither. */
export function pairCase(
  what: Pick<Case, 'bench' | 'case' | 'unit'> & { readonly bar: number; readonly beside: string },
  ours: readonly number[],
  theirs: readonly number[],
): Case {
  const ratio = median(ours.map((one, index) => one / (theirs[index] ?? Number.NaN)));
  const { beside, ...rest } = what;
  return {
    ...rest,
    value: median(ours),
    against: `${beside}: ${Math.round(median(theirs))} ${what.unit}, ${ours.length} pairs`,
    ratio,
    holds: ratio <= what.bar,
  };
}
