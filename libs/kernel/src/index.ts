export { assertNever } from './assert-never.js';
export { Budget, type Release } from './budget.js';
export { systemClock, type Clock } from './clock.js';
export { canonicalJson, digestOf, writeCanonicalJson } from './digest.js';
export {
  ERROR_CODES,
  errorCodes,
  isErrorCode,
  type ErrorClass,
  type ErrorCode,
  type StepVerdict,
} from './error-codes.js';
export { systemIds, type IdPrefix, type IdSource } from './ids.js';
export { LiftlockError, type ErrorOptions, type ErrorShape, type Issue } from './liftlock-error.js';
export { mebibytes } from './mebibytes.js';
export { inTexts, storable } from './texts.js';
export { repeat, type Repeated } from './repeat.js';
export { untilAborted } from './until-aborted.js';
export { someAtATime } from './some-at-a-time.js';
export { waitFor, type WaitOptions } from './wait.js';
export { TransferReport } from './transfer-report.js';
