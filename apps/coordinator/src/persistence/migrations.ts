import { ForeignLocks1700000010000 } from './foreign-locks.migration.js';
import { PlanShapes1700000002000 } from './plan-shapes.migration.js';
import { RefilledStreams1700000003000 } from './refilled-streams.migration.js';
import { CoordinatorTables1700000001000 } from './tables.migration.js';

/** Of the coordinator's schema, in their order. */
export const MIGRATIONS = [
  CoordinatorTables1700000001000,
  PlanShapes1700000002000,
  RefilledStreams1700000003000,
  ForeignLocks1700000010000,
];
