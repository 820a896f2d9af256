import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import type { QueryData } from '#contracts';
import { storable } from '#kernel';
import type { AttemptKey } from './options.js';

type Level = 'info' | 'warn' | 'error';
interface Line {
  readonly key: AttemptKey;
  readonly at: Date;
  readonly level: Level;
  readonly text: string;
}
export interface StoredLine {
  id: number;
  stepId: string;
  token: number;
  at: string;
  level: Level;
  text: string;
}

/** Longest line that is kept, in characters. */
const MAX_LINE = 4_000;
/** Lines that wait to be written; beyond that the oldest go. */
const MAX_WAITING = 10_000;

/** Lines of the steps' logs: gathered, and written in batches beside the hot path. */
@Injectable()
export class StepLog {
  private waiting: Line[] = [];
  private writing: Promise<void> | undefined;

  constructor(private readonly source: DataSource) {}

  add(key: AttemptKey, text: string, level: Level = 'info'): void {
    this.waiting.push({ key, at: new Date(), level, text: storable(text.slice(0, MAX_LINE)) });
    if (this.waiting.length > MAX_WAITING) this.waiting.shift();
    this.writing ??= this.flush();
  }

  /** Resolves when all that was added is written, or could not be. */
  async settle(): Promise<void> {
    while (this.writing !== undefined) await this.writing;
  }

  async read(asked: QueryData<'executor-step-log'>): Promise<StoredLine[]> {
    const rows = await this.source.query<
      Array<{ id: string; step_id: string; token: number; at: Date; level: Level; text: string }>
    >(
      `SELECT id, step_id, token, at, level, text FROM step_logs
       WHERE upgrade = $1 AND ($2::text IS NULL OR step_id = $2) AND id > $3 ORDER BY id LIMIT $4`,
      [asked.upgrade, asked.stepId ?? null, asked.after, asked.limit],
    );
    return rows.map((row) => ({
      id: Number(row.id),
      stepId: row.step_id,
      token: row.token,
      at: row.at.toISOString(),
      level: row.level,
      text: row.text,
    }));
  }

  private async flush(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve));
    while (this.waiting.length > 0) {
      const lines = this.waiting;
      this.waiting = [];
      const column = <T>(of: (line: Line) => T): T[] => lines.map(of);
      try {
        await this.source.query(
          `INSERT INTO step_logs (upgrade, step_id, token, at, level, text)
           SELECT upgrade, step_id, token, at, level, text
           FROM unnest($1::text[], $2::text[], $3::int[], $4::timestamptz[], $5::text[], $6::text[])
             AS given (upgrade, step_id, token, at, level, text)`,
          [
            column((line) => line.key.upgrade),
            column((line) => line.key.stepId),
            column((line) => line.key.token),
            column((line) => line.at),
            column((line) => line.level),
            column((line) => line.text),
          ],
        );
      } catch {
        // a log that cannot be written must not fail the step; the step itself meets the same database
        break;
      }
    }
    // in the same turn as the last look at `waiting`: nothing can be added in between and be forgotten
    this.writing = undefined;
  }
}
