import type { BackupVerification, ListedBackup } from '#contracts';

/** What is listed of a backup, in the order of `BackupRow`. */
export const LISTED_COLUMNS = `backup, upgrade, environment, application, instance, location, created_at, files, bytes, archive_bytes,
  archive_sha256, restic_snapshot, consistency, manifest_digest, incomplete_since, restored_at, fuzzy, verify_started, verify_bytes, verify_finished,
  verify_problem, verify_lease > now() AS verify_held`;

export interface BackupRow {
  readonly backup: string;
  readonly upgrade: string;
  readonly environment: string;
  readonly application: string;
  readonly instance: string;
  readonly location: string;
  readonly created_at: Date;
  readonly files: string;
  readonly bytes: string;
  readonly archive_bytes: string;
  readonly archive_sha256: string;
  /** Not null: restic has the archive. */
  readonly restic_snapshot: string | null;
  readonly consistency: string;
  readonly manifest_digest: string;
  readonly incomplete_since: Date | null;
  readonly restored_at: Date | null;
  readonly fuzzy: number | null;
  readonly verify_started: Date | null;
  readonly verify_bytes: string;
  readonly verify_finished: Date | null;
  readonly verify_problem: string | null;
  readonly verify_held: boolean | null;
}

/** Without what only its folder tells. */
export function listedOf(row: BackupRow): ListedBackup {
  const verification = verificationOf(row);
  return {
    backup: row.backup,
    upgrade: row.upgrade,
    environment: row.environment,
    application: row.application,
    instance: row.instance,
    location: row.location,
    createdAt: row.created_at.toISOString(),
    files: Number(row.files),
    bytes: Number(row.bytes),
    archiveBytes: Number(row.archive_bytes),
    archiveSha256: row.archive_sha256,
    engine: row.restic_snapshot === null ? 'archive' : 'restic',
    consistency: row.consistency,
    ...(row.fuzzy === null ? {} : { fuzzy: row.fuzzy }),
    ...(verification === undefined ? {} : { verification }),
    ...(row.incomplete_since === null
      ? {}
      : { incompleteSince: row.incomplete_since.toISOString() }),
    ...(row.restored_at === null ? {} : { restoredAt: row.restored_at.toISOString() }),
  };
}

function verificationOf(row: BackupRow): BackupVerification | undefined {
  if (row.verify_started === null) return undefined;
  return {
    startedAt: row.verify_started.toISOString(),
    state: stateOf(row),
    bytes: Number(row.verify_bytes),
    ...(row.verify_finished === null ? {} : { finishedAt: row.verify_finished.toISOString() }),
    ...(row.verify_problem === null ? {} : { problem: row.verify_problem }),
  };
}

function stateOf(row: BackupRow): BackupVerification['state'] {
  if (row.verify_finished !== null) return row.verify_problem === null ? 'whole' : 'corrupt';
  return row.verify_held === true ? 'running' : 'stopped';
}
