/** Of many, only so many at a time, in their order. The first one that fails ends it: none is begun after it. */
export async function someAtATime<T>(
  many: readonly T[],
  atATime: number,
  act: (one: T) => Promise<void>,
): Promise<void> {
  const waiting = many.values();
  let failed = false;
  const work = async (): Promise<void> => {
    for (const one of waiting) {
      if (failed) return;
      try {
        await act(one);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  await Promise.all(Array.from({ length: Math.min(atATime, many.length) }, work));
}
