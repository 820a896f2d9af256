import type { MigrationClass } from '#persistence';
import { DeletedDocuments1700000002000 } from './deleted.migration.js';
import { PlanPages1700000003000 } from './plan-pages.migration.js';
import { PlannerTables1700000001000 } from './tables.migration.js';

/** In the order in which they are done. */
export const MIGRATIONS: readonly MigrationClass[] = [
  PlannerTables1700000001000,
  DeletedDocuments1700000002000,
  PlanPages1700000003000,
];
