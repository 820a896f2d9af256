import { createHash, timingSafeEqual } from 'node:crypto';
import { Injectable } from '@nestjs/common';
import { DataSource } from 'typeorm';
import { role, type Role, type TokenView } from '#contracts';
import { LiftlockError } from '#kernel';

export interface StoredToken {
  readonly id: string;
  readonly name: string;
  readonly role: Role;
  readonly createdAt: Date;
  readonly createdBy: string;
  readonly expiresAt: Date | undefined;
}

interface Row {
  readonly id: string;
  readonly name: string;
  readonly role: string;
  readonly sha256: Buffer;
  readonly created_at: Date;
  readonly created_by: string;
  readonly expires_at: Date | null;
}

const UNIQUE_VIOLATION = '23505';

/** Bearer tokens, of which only the digest is kept. They are long and random, so that one round of SHA-256 is enough. */
@Injectable()
export class TokenStore {
  constructor(private readonly source: DataSource) {}

  /** The token that a bearer shows, if it is good now. */
  async find(secret: string, now: Date): Promise<StoredToken | undefined> {
    const digest = digestOfToken(secret);
    const rows = await this.source.query<Row[]>(
      `SELECT * FROM tokens WHERE sha256 = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $2)`,
      [digest, now],
    );
    const row = rows.find(({ sha256 }) => timingSafeEqual(sha256, digest));
    return row === undefined ? undefined : stored(row);
  }

  /** @throws LiftlockError `conflict` when a good token has the name. */
  async add(token: StoredToken, secret: string): Promise<void> {
    try {
      await this.source.query(
        `INSERT INTO tokens (id, name, role, sha256, created_at, created_by, expires_at) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
        [
          token.id,
          token.name,
          token.role,
          digestOfToken(secret),
          token.createdAt,
          token.createdBy,
          token.expiresAt ?? null,
        ],
      );
    } catch (error) {
      if (error instanceof Error && 'code' in error && error.code === UNIQUE_VIOLATION) {
        throw new LiftlockError(
          'conflict',
          `there is a token ${token.name} already: revoke it, or take another name`,
        );
      }
      throw error;
    }
  }

  /** Sees to it that this very token exists, under this name; one that was revoked stays so. */
  async ensure(token: StoredToken, secret: string): Promise<void> {
    const digest = digestOfToken(secret);
    await this.source.transaction(async (tx) => {
      // two gateways may start at once
      await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended('tokens', 0))`);
      const known = await tx.query<unknown[]>(`SELECT 1 FROM tokens WHERE sha256 = $1`, [digest]);
      if (known.length > 0) return;
      await tx.query(`UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL`, [
        token.name,
        token.createdAt,
      ]);
      await tx.query(
        `INSERT INTO tokens (id, name, role, sha256, created_at, created_by) VALUES ($1, $2, $3, $4, $5, $6)`,
        [token.id, token.name, token.role, digest, token.createdAt, token.createdBy],
      );
    });
  }

  async list(now: Date): Promise<StoredToken[]> {
    const rows = await this.source.query<Row[]>(
      `SELECT * FROM tokens WHERE revoked_at IS NULL AND (expires_at IS NULL OR expires_at > $1) ORDER BY name`,
      [now],
    );
    return rows.map(stored);
  }

  /** @returns whether there was one to revoke. */
  async revoke(name: string, now: Date): Promise<boolean> {
    const rows = await this.source.query<[unknown[], number]>(
      `UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL RETURNING id`,
      [name, now],
    );
    return rows[0].length > 0;
  }

  /** A name whose token has expired is free again. */
  async releaseExpired(name: string, now: Date): Promise<void> {
    await this.source.query(
      `UPDATE tokens SET revoked_at = $2 WHERE name = $1 AND revoked_at IS NULL AND expires_at <= $2`,
      [name, now],
    );
  }
}

export function digestOfToken(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

export function viewOfToken(token: StoredToken): TokenView {
  return {
    id: token.id,
    name: token.name,
    role: token.role,
    createdAt: token.createdAt.toISOString(),
    createdBy: token.createdBy,
    ...(token.expiresAt === undefined ? {} : { expiresAt: token.expiresAt.toISOString() }),
  };
}

function stored(row: Row): StoredToken {
  return {
    id: row.id,
    name: row.name,
    role: role.parse(row.role),
    createdAt: row.created_at,
    createdBy: row.created_by,
    expiresAt: row.expires_at ?? undefined,
  };
}
