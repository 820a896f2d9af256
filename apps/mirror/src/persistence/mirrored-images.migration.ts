import type { MigrationInterface, QueryRunner } from 'typeorm';

/** What upgrades brought to mirrors, and for which application under which name. */
export class MirroredImages1700000004000 implements MigrationInterface {
  readonly name = 'MirroredImages1700000004000';

  async up(runner: QueryRunner): Promise<void> {
    await runner.query(`
      CREATE TABLE mirrored_images (
        target text NOT NULL,
        digest text NOT NULL,
        source text NOT NULL,
        environment text NOT NULL,
        application text NOT NULL,
        tag text NOT NULL,
        upgrade text NOT NULL,
        bytes bigint NOT NULL,
        -- how the mirror is reached, in references: no secret stands here
        access jsonb NOT NULL,
        mirrored_at timestamptz NOT NULL DEFAULT now(),
        last_used_at timestamptz NOT NULL DEFAULT now(),
        PRIMARY KEY (target, digest, source, environment, application)
      )`);
    await runner.query(
      `CREATE INDEX mirrored_images_by_use ON mirrored_images (last_used_at DESC)`,
    );
  }

  async down(runner: QueryRunner): Promise<void> {
    await runner.query(`DROP TABLE mirrored_images`);
  }
}
