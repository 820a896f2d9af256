/** Holds each of so many calls until all of them have come: what is tested is that they meet, not how fast each of them is. */
export function meetingOf(
  count: number,
): <Args extends unknown[], T>(
  act: (...args: Args) => Promise<T> | undefined,
) => (...args: Args) => Promise<T | undefined> {
  const { promise: all, resolve } = Promise.withResolvers<void>();
  let come = 0;
  return (act) =>
    async (...args) => {
      come += 1;
      if (come === count) resolve();
      await all;
      return act(...args);
    };
}
