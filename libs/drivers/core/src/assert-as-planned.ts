import { LiftlockError } from '#kernel';

/** What a plan recorded of an instance, or what is there, by name. */
export type Observed = Readonly<Record<string, unknown>>;

/**
 * @param title of the instance, with where it is
 * @param found undefined: it is gone. What was not expected of it is not compared.
 * @throws `drift`, with each value that changed
 */
export function assertAsPlanned(
  title: string,
  expected: Observed,
  found: Observed | undefined,
  details: Readonly<Record<string, unknown>>,
): void {
  const changed = Object.keys(expected).filter((key) => expected[key] !== found?.[key]);
  if (changed.length === 0) return;
  const what =
    found === undefined
      ? 'it is gone'
      : changed
          .map((key) => `${key} was ${String(expected[key])}, is ${String(found[key])}`)
          .join('; ');
  throw new LiftlockError('drift', `${title} is not as it was planned: ${what}; make a new plan`, {
    details: { ...details, expected, found: found ?? null },
  });
}
