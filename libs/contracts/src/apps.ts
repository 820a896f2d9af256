/** The services, by the name that is also their PostgreSQL schema, role suffix and NATS user. */
export const APPS = [
  'gateway',
  'coordinator',
  'planner',
  'mirror',
  'backup',
  'executor',
  'verifier',
  'notifier',
] as const;
export type App = (typeof APPS)[number];

/** The services that run steps. */
export const STEP_APPS = ['mirror', 'backup', 'executor', 'verifier'] as const;
export type StepApp = (typeof STEP_APPS)[number];

export const DEFAULT_SITE = 'main';
export const API_VERSION = 'liftlock.dev/v1';
