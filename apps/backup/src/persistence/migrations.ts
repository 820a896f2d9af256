import { StepsTables1700000000500 } from '#steps';
import { BackupEngine1700000012000 } from './backup-engine.migration.js';
import { BackupRuns1700000011000 } from './backup-runs.migration.js';
import { BackupVerification1700000007000 } from './backup-verification.migration.js';
import { BackupTables1700000003000 } from './backups.migration.js';
import { Quiets1700000010000 } from './quiets.migration.js';

/** Of the backup service's schema, in their order. */
export const MIGRATIONS = [
  StepsTables1700000000500,
  BackupTables1700000003000,
  BackupVerification1700000007000,
  Quiets1700000010000,
  BackupRuns1700000011000,
  BackupEngine1700000012000,
];
