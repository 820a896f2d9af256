import type { StepPlace, TransferPart } from '#contracts';

/** How far a transfer is, in bytes. */
export interface TransferState {
  readonly part: TransferPart;
  readonly doneBytes: number;
  /** As far as it is known by now: it may grow. */
  readonly totalBytes: number;
  /** What really went over the wire, where that is less than what is done: the rate is of these. Default `doneBytes`. */
  readonly movedBytes?: number;
}

/** What one attempt at one step is given besides its input. */
export interface StepContext {
  readonly upgrade: string;
  readonly environment: string;
  readonly application: string;
  readonly stepId: string;
  /** Fences this attempt: what the driver makes is marked with upgrade, step and token. */
  readonly token: number;
  readonly attempt: number;
  readonly target: StepPlace;
  /** That the step has: the signal is aborted then. */
  readonly timeoutSeconds: number;
  /** Aborted at the step's timeout, when the attempt is called back or fenced, and when the service shuts down. */
  readonly signal: AbortSignal;
  /**
   * To be awaited before every mutation.
   * @throws LiftlockError `fenced` when a later attempt has taken over or the lease has ended: nothing may be changed any more.
   */
  guard(): Promise<void>;
  /** A line of the step's log: kept by the service, never with a secret in it. */
  log(text: string, level?: 'info' | 'warn' | 'error'): void;
  /** How far this step's transfer is, for those who watch: may be called for every chunk, and whether anybody hears it makes no difference. */
  transfer(state: TransferState): void;
}
