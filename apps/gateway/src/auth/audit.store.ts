import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { auditEntry, type AuditEntry } from '#contracts';

export interface AuditBegin {
  readonly at: Date;
  readonly actor: string;
  readonly role: string;
  readonly method: string;
  readonly path: string;
  readonly request: string;
}

/** Who did what, when, and what came of it: a row before it is done, completed afterwards. */
@Injectable()
export class AuditStore {
  constructor(private readonly source: DataSource) {}

  async begin(entry: AuditBegin): Promise<number> {
    const rows = await this.source.query<Array<{ id: string }>>(
      `INSERT INTO audit (at, actor, role, method, path, request) VALUES ($1, $2, $3, $4, $5, $6) RETURNING id`,
      [entry.at, entry.actor, entry.role, entry.method, entry.path.slice(0, 1000), entry.request],
    );
    return Number(rows[0]?.id);
  }

  async end(id: number, status: number, code: string | undefined): Promise<void> {
    await this.source.query(`UPDATE audit SET status = $2, code = $3 WHERE id = $1`, [
      id,
      status,
      code ?? null,
    ]);
  }

  /** The newest first. */
  async list(before: number | undefined, limit: number): Promise<AuditEntry[]> {
    const rows = await this.source.query<Array<Record<string, unknown>>>(
      `SELECT id::float8 AS id, at, actor, role, method, path, request, status, code FROM audit
       WHERE $1::bigint IS NULL OR id < $1 ORDER BY id DESC LIMIT $2`,
      [before ?? null, limit],
    );
    return rows.map((row) =>
      auditEntry.parse({
        ...row,
        at: row['at'] instanceof Date ? row['at'].toISOString() : row['at'],
        status: row['status'] ?? undefined,
        code: row['code'] ?? undefined,
      }),
    );
  }
}
