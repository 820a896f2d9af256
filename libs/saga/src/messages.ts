import type { Role, StepResult } from '#contracts';
import type { ErrorShape } from '#kernel';

interface Decision {
  readonly actor: string;
  readonly reason?: string | undefined;
}

/** What the engine can be told. */
export type SagaMessage =
  | { readonly type: 'planned' }
  | { readonly type: 'plan-refused'; readonly error: ErrorShape }
  /** The coordinator holds the locks for all instances. */
  | { readonly type: 'admitted' }
  | { readonly type: 'admission-refused'; readonly error: ErrorShape }
  /** It may not begin before a moment (RFC 3339); then it is asked again. */
  | { readonly type: 'admission-postponed'; readonly until: string; readonly message: string }
  /** Of a plan whose waves wait for its window: it has closed, until the next one opens. */
  | { readonly type: 'window-closed'; readonly until: string; readonly message: string }
  | { readonly type: 'window-opened' }
  | ({
      readonly type: 'reject' | 'cancel' | 'pause' | 'resume' | 'rollback';
    } & Decision)
  | ({
      readonly type: 'approve';
      readonly role: Role;
      /** RFC 3339. */
      readonly at: string;
      /** The upgrade's. */
      readonly planDigest: string;
      /** The one that the person named, where they did. */
      readonly agreedPlan?: string | undefined;
      /** Whether it is the person who asked for the upgrade. */
      readonly byRequester: boolean;
      readonly comment?: string | undefined;
    } & Decision)
  | ({ readonly type: 'retry'; readonly step?: string | undefined } & Decision)
  | ({ readonly type: 'skip'; readonly step?: string | undefined } & Decision)
  | ({
      readonly type: 'resolve';
      readonly step?: string | undefined;
      readonly outcome?: 'succeeded' | 'failed' | undefined;
    } & Decision)
  | {
      readonly type: 'step-started';
      readonly stepId: string;
      readonly token: number;
      readonly owner: string;
    }
  | {
      readonly type: 'step-finished';
      readonly stepId: string;
      readonly token: number;
      readonly result: StepResult;
      /** What it took, for the history. */
      readonly timing?: {
        readonly startedAt?: string | undefined;
        readonly endedAt: string;
        readonly actionMs?: number | undefined;
      };
    }
  | { readonly type: 'retry-due'; readonly stepId: string; readonly token: number }
  /** No answer came within the attempt's time. */
  | { readonly type: 'deadline'; readonly stepId: string; readonly token: number }
  | { readonly type: 'bake-check-due'; readonly round: number }
  | { readonly type: 'bake-over' };

export type DecisionType = Extract<SagaMessage, Decision>['type'];

/** What fires later: the message that is then to be given to the engine. */
export type TimerMessage = Extract<
  SagaMessage,
  { type: 'retry-due' | 'deadline' | 'bake-check-due' | 'bake-over' }
>;
