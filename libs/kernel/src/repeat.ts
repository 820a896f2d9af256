/** What is done again and again. */
export interface Repeated {
  /** Does it now, unless it is being done. */
  now(): void;
  /** No more of it. @returns when what is being done has ended; never rejects */
  end(): Promise<void>;
}

/**
 * Does something every so often, the first time when that has passed; one at a time: what would begin meanwhile is left out.
 * @param everyMs milliseconds from one beginning to the next
 * @param onError told of one that failed; the next one comes all the same
 */
export function repeat(
  everyMs: number,
  work: () => Promise<void>,
  onError: (error: unknown) => void,
): Repeated {
  let underWay: Promise<void> | undefined;
  const now = (): void => {
    underWay ??= work()
      .catch(onError)
      .finally(() => {
        underWay = undefined;
      });
  };
  const timer = setInterval(now, everyMs);
  return {
    now,
    end: async () => {
      clearInterval(timer);
      await underWay;
    },
  };
}
