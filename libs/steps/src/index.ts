export { isAtRest } from './at-rest.js';
export { LocalStepQueue } from './local-step-queue.js';
export { type StepHandlers, type StepQueue, type StepsOptions } from './options.js';
export { StepsModule, type StepsModuleOptions } from './steps.module.js';
export { StepsTables1700000000500 } from './steps-tables.migration.js';
