import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { KnownDurations } from '../domain/estimate.js';

/** Runs of a step that its median is of, and upgrades that are looked through for them. */
const MOST_RUNS = 20;

interface Row {
  action: string;
  component: string | null;
  ms: number;
  runs: string[];
}

/** What steps took, from when they were sent to when they were told to be done: read out of the history, which every run writes anyway. */
@Injectable()
export class DurationStore {
  async of(db: EntityManager, environment: string, application: string): Promise<KnownDurations> {
    const rows = await db.query<Row[]>(
      `WITH recent AS (
         SELECT id FROM upgrades WHERE environment = $1 AND application = $2 AND ended_at IS NOT NULL
         ORDER BY id DESC LIMIT $3
       ), done AS (
         SELECT begun.data->>'action' AS action,
           -- of a lane's step, <component>@<target> is a part of its id
           substring(ended.data->>'step' from '(?:^|/)([a-z0-9-]+)@') AS component,
           extract(epoch FROM ended.at - begun.at) * 1000 AS ms, ended.upgrade, ended.at
         FROM history ended JOIN history begun ON begun.upgrade = ended.upgrade AND begun.type = 'step-dispatched'
           AND begun.data->>'step' = ended.data->>'step' AND begun.data->>'token' = ended.data->>'token'
         WHERE ended.type = 'step-succeeded' AND ended.upgrade IN (SELECT id FROM recent)
       ), ranked AS (
         SELECT *, row_number() OVER (PARTITION BY action, component ORDER BY at DESC) AS place FROM done
       )
       SELECT action, component, (percentile_cont(0.5) WITHIN GROUP (ORDER BY ms))::float8 AS ms,
         array_agg(DISTINCT upgrade) AS runs
       FROM ranked WHERE place <= $3 GROUP BY action, component`,
      [environment, application, MOST_RUNS],
    );
    return {
      runs: new Set(rows.flatMap(({ runs }) => runs)).size,
      medians: new Map(
        rows.map(({ action, component, ms }) => [`${action} ${component ?? ''}`, Math.max(0, ms)]),
      ),
    };
  }
}
