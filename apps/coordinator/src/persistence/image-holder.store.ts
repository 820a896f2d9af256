import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import type { ImageHolder } from '../domain/held-images.js';

/** Of upgrades that ended so, nothing was changed. */
const WITHOUT_TRACE = ['failed', 'rejected'];

/** What upgrades have to do with images of mirrors. */
@Injectable()
export class ImageHolderStore {
  /**
   * All upgrades of the applications for which any of these digests was ever planned to be mirrored, or to be brought to a target: who
   * names an image at the mirror itself mirrors nothing. The last to end first, before it those that have not ended.
   */
  async about(tx: EntityManager, digests: readonly string[]): Promise<ImageHolder[]> {
    return tx.query<ImageHolder[]>(
      `WITH bringing AS (
         SELECT u.id, u.environment, u.application, u.state, u.saga, u.ended_at, p.plan,
           ARRAY(
             SELECT digest #>> '{}'
             FROM jsonb_path_query(p.plan, '$.prepare[*] ? (@.action == "image.mirror").input.digest') digest
             UNION
             -- REPOSITORY@DIGEST, or what an engine that keeps images by their digest calls one that it has
             SELECT regexp_replace(called, '^.*@', '')
             FROM jsonb_path_query(p.plan, '$.prepare[*] ? (@.action == "image.prepare").input.image') image,
               unnest(ARRAY[image ->> 'digest', image ->> 'id']) called
             WHERE called IS NOT NULL
           ) AS images
         FROM upgrades u JOIN plans p ON p.digest = u.plan_digest WHERE u.state <> ALL ($2)
       ), places AS (
         SELECT DISTINCT environment, application FROM bringing WHERE images && $1::text[]
       )
       SELECT id, environment, application, state, images,
         ARRAY(
           SELECT lane ->> 'instance' FROM jsonb_path_query(plan, '$.hops[*].waves[*].lanes[*]') lane
           WHERE saga -> 'lanes' ->> (lane ->> 'id') = 'verified'
         ) AS instances,
         jsonb_path_exists(saga, '$.steps.*.status ? (@ == "skipped")') AS skipped
       FROM bringing JOIN places USING (environment, application)
       ORDER BY ended_at DESC NULLS FIRST, id DESC`,
      [digests, WITHOUT_TRACE],
    );
  }
}
