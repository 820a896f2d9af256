/**
 * What several ask for at the same time is done once. The work goes on as long as one of them waits; when the last is called back, so is
 * the work.
 */
export class SingleFlight<T> {
  private readonly flights = new Map<string, Flight<T>>();

  async do(
    key: string,
    signal: AbortSignal | undefined,
    work: (signal: AbortSignal) => Promise<T>,
  ): Promise<T> {
    signal?.throwIfAborted();
    const running = this.flights.get(key);
    const flight = running ?? this.begin(key, work);
    flight.waiting += 1;
    try {
      return await until(flight.result, signal);
    } finally {
      flight.waiting -= 1;
      if (flight.waiting === 0 && !flight.ended) {
        // whoever comes from now on begins anew
        this.end(key, flight);
        flight.controller.abort(signal?.reason);
        // the abort is seen to its end, so that what it leaves (an upload session) is cleared when we return
        await flight.result.catch(() => undefined);
      }
    }
  }

  private begin(key: string, work: (signal: AbortSignal) => Promise<T>): Flight<T> {
    const controller = new AbortController();
    const flight: Flight<T> = {
      controller,
      waiting: 0,
      ended: false,
      result: work(controller.signal).finally(() => {
        flight.ended = true;
        this.end(key, flight);
      }),
    };
    flight.result.catch(() => undefined);
    this.flights.set(key, flight);
    return flight;
  }

  private end(key: string, flight: Flight<T>): void {
    if (this.flights.get(key) === flight) this.flights.delete(key);
  }
}

interface Flight<T> {
  readonly controller: AbortController;
  waiting: number;
  ended: boolean;
  readonly result: Promise<T>;
}

function until<T>(result: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (signal === undefined) return result;
  return new Promise<T>((resolve, reject) => {
    const abort = (): void => reject(signal.reason as Error);
    signal.addEventListener('abort', abort, { once: true });
    result.then(resolve, reject).finally(() => signal.removeEventListener('abort', abort));
  });
}
