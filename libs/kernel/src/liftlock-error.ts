import { ERROR_CODES, isErrorCode, type ErrorCode } from './error-codes.js';

/** One place in the input that is wrong. */
export interface Issue {
  /** JSON Pointer (RFC 6901) of the field. */
  readonly pointer: string;
  readonly message: string;
  /** Line of the file it came from, from 1, where it came from a file. */
  readonly line?: number;
}

export interface ErrorOptions {
  /** Overrides the code's own answer to "does another try make sense". */
  readonly retryable?: boolean;
  /** How long to wait before the next try, in milliseconds. */
  readonly retryAfterMs?: number;
  readonly issues?: readonly Issue[];
  /** What a program needs to know besides: never a secret. */
  readonly details?: Readonly<Record<string, unknown>>;
  readonly cause?: unknown;
}

/** How an error looks in a message, in the database and in an HTTP answer. */
export interface ErrorShape {
  readonly code: ErrorCode;
  readonly message: string;
  readonly retryable: boolean;
  readonly retryAfterMs?: number | undefined;
  readonly issues?: readonly Issue[] | undefined;
  readonly details?: Readonly<Record<string, unknown>> | undefined;
}

/** The one error class: says what happened, to what, and what to do, and carries a code that decides what follows. */
export class LiftlockError extends Error {
  override readonly name = 'LiftlockError';
  readonly retryable: boolean;
  readonly retryAfterMs: number | undefined;
  readonly issues: readonly Issue[] | undefined;
  readonly details: Readonly<Record<string, unknown>> | undefined;

  constructor(
    readonly code: ErrorCode,
    message: string,
    options: ErrorOptions = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.retryable = options.retryable ?? ERROR_CODES[code].step === 'retry';
    this.retryAfterMs = options.retryAfterMs;
    this.issues = options.issues;
    this.details = options.details;
  }

  toShape(): ErrorShape {
    return {
      code: this.code,
      message: this.message,
      retryable: this.retryable,
      ...(this.retryAfterMs === undefined ? {} : { retryAfterMs: this.retryAfterMs }),
      ...(this.issues === undefined ? {} : { issues: this.issues }),
      ...(this.details === undefined ? {} : { details: this.details }),
    };
  }

  static fromShape(shape: ErrorShape): LiftlockError {
    const { code, message, ...options } = shape;
    return new LiftlockError(
      isErrorCode(code) ? code : 'internal',
      message,
      options as ErrorOptions,
    );
  }

  /** Any thrown thing as one of ours; what is not ours is `internal`, with the original as its cause. */
  static from(thrown: unknown): LiftlockError {
    if (thrown instanceof LiftlockError) return thrown;
    const message = thrown instanceof Error ? thrown.message : String(thrown);
    return new LiftlockError('internal', message, { cause: thrown });
  }
}
