import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';

/** Which stream was last refilled: streams of one name are told apart by when the broker made them. */
@Injectable()
export class RefillStore {
  /** @returns whether it is to be refilled, in this transaction: of several at a time one is told so. */
  async begin(tx: EntityManager, stream: string, created: string): Promise<boolean> {
    const rows = await tx.query<unknown[]>(
      `INSERT INTO refilled_streams AS last (stream, created) VALUES ($1, $2)
       ON CONFLICT (stream) DO UPDATE SET created = excluded.created WHERE last.created <> excluded.created
       RETURNING stream`,
      [stream, created],
    );
    return rows.length > 0;
  }
}
