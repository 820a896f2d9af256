import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { registryAccess, type MirroredImage, type RegistryAccess } from '#contracts';

interface Row {
  readonly target: string;
  readonly digest: string;
  readonly source: string;
  readonly environment: string;
  readonly application: string;
  readonly tag: string;
  readonly upgrade: string;
  readonly bytes: string;
  readonly mirrored_at: Date;
  readonly last_used_at: Date;
}

const COLUMNS =
  'target, digest, source, environment, application, tag, upgrade, bytes, mirrored_at, last_used_at';

export type NewMirroredImage = Omit<MirroredImage, 'mirroredAt' | 'lastUsedAt'> & {
  /** How the mirror is reached. */
  readonly access: RegistryAccess;
};

@Injectable()
export class MirroredImageStore {
  /** Held until the transaction ends: an image is not looked for at a mirror while it is taken away from it. */
  async lock(
    tx: EntityManager,
    { target, digest }: Pick<MirroredImage, 'target' | 'digest'>,
  ): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `image ${target}@${digest}`,
    ]);
  }

  /** That it is there, and who wanted it. */
  async save(tx: EntityManager, image: NewMirroredImage): Promise<void> {
    await tx.query(
      `INSERT INTO mirrored_images (target, digest, source, environment, application, tag, upgrade, bytes, access)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
       ON CONFLICT (target, digest, source, environment, application) DO UPDATE SET tag = excluded.tag,
         upgrade = excluded.upgrade, bytes = greatest(mirrored_images.bytes, excluded.bytes), access = excluded.access,
         last_used_at = now()`,
      [
        ...[image.target, image.digest, image.source, image.environment, image.application],
        ...[image.tag, image.upgrade, image.bytes, JSON.stringify(image.access)],
      ],
    );
  }

  /** The last used first. @param limit undefined: all */
  async list(
    tx: EntityManager,
    { environment, limit }: { environment?: string | undefined; limit?: number | undefined },
  ): Promise<MirroredImage[]> {
    const rows = await tx.query<Row[]>(
      `SELECT ${COLUMNS} FROM mirrored_images WHERE $1::text IS NULL OR environment = $1
       ORDER BY last_used_at DESC, target, digest, source, environment, application LIMIT $2`,
      [environment ?? null, limit ?? null],
    );
    return rows.map(fromRow);
  }

  /** One image, by all names and for all applications that it was brought for. */
  async of(
    tx: EntityManager,
    { target, digest }: Pick<MirroredImage, 'target' | 'digest'>,
  ): Promise<{ readonly images: MirroredImage[]; readonly access: RegistryAccess }> {
    const rows = await tx.query<Array<Row & { readonly access: unknown }>>(
      `SELECT ${COLUMNS}, access FROM mirrored_images WHERE target = $1 AND digest = $2
       ORDER BY last_used_at DESC, source, environment, application`,
      [target, digest],
    );
    return { images: rows.map(fromRow), access: registryAccess.parse(rows[0]?.access ?? {}) };
  }

  async remove(
    tx: EntityManager,
    { target, digest }: Pick<MirroredImage, 'target' | 'digest'>,
  ): Promise<void> {
    await tx.query(`DELETE FROM mirrored_images WHERE target = $1 AND digest = $2`, [
      target,
      digest,
    ]);
  }
}

function fromRow(row: Row): MirroredImage {
  const { target, digest, source, environment, application, tag, upgrade } = row;
  return {
    ...{ target, digest, source, environment, application, tag, upgrade },
    bytes: Number(row.bytes),
    mirroredAt: row.mirrored_at.toISOString(),
    lastUsedAt: row.last_used_at.toISOString(),
  };
}
