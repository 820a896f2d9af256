import type { DataSource } from 'typeorm';
import { openDataSource } from '#persistence';
import { freshDatabase } from '../../../../test/support/index.js';
import { MIGRATIONS } from '../../src/persistence/migrations.js';

export interface CoordinatorDatabase {
  readonly source: DataSource;
  close(): Promise<void>;
}

/** For tests: the coordinator's tables, and nothing in them. */
export async function openCoordinatorDatabase(): Promise<CoordinatorDatabase> {
  const database = await freshDatabase();
  const source = await openDataSource({
    ...{ app: 'coordinator', url: database.url('coordinator'), entities: [] },
    migrations: MIGRATIONS,
  });
  return {
    source,
    close: async () => {
      await source.destroy();
      await database.drop();
    },
  };
}
