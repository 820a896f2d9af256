/** The user's Ctrl-C, or a polite request to end: its exit code is 128 and the signal's number. */
export class Interrupted extends Error {
  override readonly name = 'Interrupted';
  constructor(readonly exitCode: number) {
    super('interrupted');
  }
}

const SIGNALS = { SIGINT: 130, SIGTERM: 143, SIGHUP: 129 } as const;

/**
 * Runs something that can be given up by Ctrl-C: it gets a signal and the time to clean up behind itself. A second
 * Ctrl-C changes nothing: the clean-up has deadlines of its own.
 */
export async function interruptible<T>(
  task: (signal: AbortSignal) => Promise<T>,
  onInterrupt: () => void = () => undefined,
): Promise<T> {
  const controller = new AbortController();
  const names = Object.keys(SIGNALS) as (keyof typeof SIGNALS)[];
  const listener = (name: NodeJS.Signals): void => {
    if (controller.signal.aborted) return;
    onInterrupt();
    controller.abort(
      new Interrupted(name in SIGNALS ? SIGNALS[name as keyof typeof SIGNALS] : 130),
    );
  };
  for (const name of names) process.on(name, listener);
  try {
    return await task(controller.signal);
  } catch (error) {
    // whatever broke off because of the signal, the signal is the reason
    throw controller.signal.aborted ? (controller.signal.reason as unknown) : error;
  } finally {
    for (const name of names) process.off(name, listener);
  }
}
