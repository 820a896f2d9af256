export { approvalsOf } from './approvals.js';
export { advance, type Advance } from './advance.js';
export type { SagaCommand, SagaEvent } from './commands.js';
export type { Refusal } from './refusal.js';
export type { DecisionType, SagaMessage, TimerMessage } from './messages.js';
export { PlanIndex, type PlacedStep } from './plan-index.js';
export { inFlight, newSaga, type Saga, type StepProgress } from './saga.js';
export { TRANSITIONS, assertSound, mayFollow } from './transitions.js';
