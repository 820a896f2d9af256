import { Injectable } from '@nestjs/common';
import type { EntityManager } from 'typeorm';
import { canonicalJson, digestOf, LiftlockError } from '#kernel';
import {
  applicationDocument,
  document as documentSchema,
  environmentDocument,
  referencesOf,
  releaseDocument,
  serviceTemplateChainDocument,
  upgradeChainDocument,
  type ApplicationDocument,
  type DocumentKind,
  type EnvironmentDocument,
  type LiftlockDocument,
  type QueryReply,
  type ReleaseDocument,
  type ServiceTemplateChainDocument,
  type StoredDocument,
  type UpgradeChainDocument,
} from '#contracts';
import { assertMayChange } from '../domain/immutable.js';
import type { Stored } from '../domain/planning-documents.js';

interface DocumentRow {
  kind: DocumentKind;
  name: string;
  generation: number;
  digest: string;
  body: string;
  created_at: Date;
  deleted: boolean;
}

const COLUMNS = 'kind, name, generation, digest, body, created_at, deleted';
/** Characters of bodies in one page, so that it fits into a message. */
const MOST_IN_PAGE = 384 * 1024;

/** Documents with all their generations. */
@Injectable()
export class DocumentStore {
  /**
   * Stores a new generation, or nothing when the document is as it was.
   * @throws LiftlockError `precondition_failed` when `ifGeneration` is not the present one.
   */
  async put(
    tx: EntityManager,
    document: LiftlockDocument,
    by: { readonly actor: string; readonly now: Date; readonly ifGeneration?: number | undefined },
  ): Promise<QueryReply<'put-document'>> {
    const { kind, metadata } = document;
    await this.lock(tx, kind, metadata.name);
    const present = await this.find(tx, kind, metadata.name);
    assertGeneration(kind, metadata.name, present?.generation ?? 0, by.ifGeneration);
    const digest = digestOf(document);
    if (present?.digest === digest) return { document: present, changed: false };
    if (present !== undefined) assertMayChange(present.document, document);
    const application = document.kind === 'Release' ? document.spec.application : null;
    const rows = await tx.query<DocumentRow[]>(
      `INSERT INTO documents (kind, name, generation, digest, application, body, created_by, created_at)
       VALUES ($1, $2, $3, $4, $5, $6, $7, $8) RETURNING ${COLUMNS}`,
      [
        kind,
        metadata.name,
        (await this.newestGeneration(tx, kind, metadata.name)) + 1,
        digest,
        application,
        canonicalJson(document),
        by.actor,
        by.now,
      ],
    );
    const [row] = rows;
    if (row === undefined)
      throw new LiftlockError('internal', `${kind} ${metadata.name} was not stored`);
    return { document: fromRow(row), changed: true };
  }

  /** The present generation, or the one asked for. @throws LiftlockError `not_found` */
  async get(
    tx: EntityManager,
    kind: DocumentKind,
    name: string,
    generation?: number,
  ): Promise<StoredDocument> {
    const found = await this.find(tx, kind, name, generation);
    if (found !== undefined) return found;
    const which = generation === undefined ? '' : ` of generation ${generation}`;
    throw new LiftlockError('not_found', `there is no ${kind.toLowerCase()} ${name}${which}`);
  }

  /**
   * Its generations stay, and a later document of the name goes on counting.
   * @throws LiftlockError `not_found`; `precondition_failed`; `conflict` while other documents name it.
   */
  async remove(
    tx: EntityManager,
    kind: DocumentKind,
    name: string,
    by: { readonly actor: string; readonly now: Date; readonly ifGeneration?: number | undefined },
  ): Promise<QueryReply<'delete-document'>> {
    await this.lock(tx, kind, name);
    const present = await this.get(tx, kind, name);
    assertGeneration(kind, name, present.generation, by.ifGeneration);
    const users = await this.usersOf(tx, kind, name);
    if (users.length > 0) {
      const told = users.slice(0, 5).join(', ');
      const more = users.length > 5 ? ` and ${users.length - 5} more` : '';
      throw new LiftlockError(
        'conflict',
        `${kind} ${name} is named by ${told}${more}: delete or change these first`,
      );
    }
    const generation = present.generation + 1;
    await tx.query(
      `INSERT INTO documents (kind, name, generation, digest, application, body, created_by, created_at, deleted)
       VALUES ($1, $2, $3, $4, NULL, $5, $6, $7, true)`,
      [kind, name, generation, present.digest, canonicalJson(present.document), by.actor, by.now],
    );
    return { generation };
  }

  /** @throws LiftlockError `not_found` when there never was one. */
  async history(
    tx: EntityManager,
    kind: DocumentKind,
    name: string,
    page: { readonly cursor?: number | undefined; readonly limit: number },
  ): Promise<QueryReply<'document-history'>> {
    const rows = await tx.query<Array<DocumentRow & { created_by: string }>>(
      `SELECT ${COLUMNS}, created_by FROM documents WHERE kind = $1 AND name = $2 AND ($3::integer IS NULL OR generation < $3)
       ORDER BY generation DESC LIMIT $4`,
      [kind, name, page.cursor ?? null, page.limit + 1],
    );
    if (rows.length === 0 && page.cursor === undefined)
      throw new LiftlockError('not_found', `there is no ${kind.toLowerCase()} ${name}`);
    const items = rows.slice(0, page.limit).map((row) => ({
      ...{ generation: row.generation, digest: row.digest, deleted: row.deleted },
      ...{ createdAt: row.created_at.toISOString(), createdBy: row.created_by },
    }));
    const last = items.at(-1);
    return rows.length > items.length && last !== undefined
      ? { items, nextCursor: last.generation }
      : { items };
  }

  /** One writer of a document at a time, the first one too, for which there is no row to lock. */
  private async lock(tx: EntityManager, kind: DocumentKind, name: string): Promise<void> {
    await tx.query(`SELECT pg_advisory_xact_lock(hashtextextended($1, 0))`, [
      `document ${kind} ${name}`,
    ]);
  }

  private async newestGeneration(
    tx: EntityManager,
    kind: DocumentKind,
    name: string,
  ): Promise<number> {
    const rows = await tx.query<Array<{ generation: number | null }>>(
      `SELECT max(generation) AS generation FROM documents WHERE kind = $1 AND name = $2`,
      [kind, name],
    );
    return rows[0]?.generation ?? 0;
  }

  /** `Release shop-2.0` … that name a document. */
  private async usersOf(tx: EntityManager, kind: DocumentKind, name: string): Promise<string[]> {
    const rows = await tx.query<DocumentRow[]>(
      `SELECT ${COLUMNS} FROM (SELECT DISTINCT ON (kind, name) * FROM documents ORDER BY kind, name, generation DESC) latest
       WHERE NOT deleted`,
    );
    return rows
      .map((row) => fromRow(row).document)
      .filter((document) =>
        referencesOf(document).some((one) => one.kinds.includes(kind) && one.name === name),
      )
      .map((document) => `${document.kind} ${document.metadata.name}`);
  }

  private async find(
    tx: EntityManager,
    kind: DocumentKind,
    name: string,
    generation?: number,
  ): Promise<StoredDocument | undefined> {
    const rows = await tx.query<DocumentRow[]>(
      `SELECT ${COLUMNS} FROM documents WHERE kind = $1 AND name = $2 AND ($3::integer IS NULL OR generation = $3)
       ORDER BY generation DESC LIMIT 1`,
      [kind, name, generation ?? null],
    );
    const [row] = rows;
    return row === undefined || row.deleted ? undefined : fromRow(row);
  }

  /** Present generations by name, from after the cursor. */
  async list(
    tx: EntityManager,
    kind: DocumentKind,
    page: { readonly cursor?: string | undefined; readonly limit: number },
  ): Promise<QueryReply<'list-documents'>> {
    const rows = await tx.query<DocumentRow[]>(
      `SELECT ${COLUMNS} FROM (SELECT DISTINCT ON (name) * FROM documents WHERE kind = $1 AND ($2::text IS NULL OR name > $2)
         ORDER BY name, generation DESC) latest
       WHERE NOT deleted ORDER BY name LIMIT $3`,
      [kind, page.cursor ?? null, page.limit + 1],
    );
    const items: StoredDocument[] = [];
    let size = 0;
    for (const row of rows.slice(0, page.limit)) {
      size += row.body.length;
      if (size > MOST_IN_PAGE && items.length > 0) break;
      items.push(fromRow(row));
    }
    const last = items.at(-1);
    return rows.length > items.length && last !== undefined
      ? { items, nextCursor: last.name }
      : { items };
  }

  /** Every document of a kind. */
  async all(tx: EntityManager, kind: DocumentKind): Promise<StoredDocument[]> {
    const rows = await tx.query<DocumentRow[]>(
      `SELECT ${COLUMNS} FROM (SELECT DISTINCT ON (name) * FROM documents WHERE kind = $1 ORDER BY name, generation DESC) latest
       WHERE NOT deleted ORDER BY name`,
      [kind],
    );
    return rows.map(fromRow);
  }

  async environment(
    tx: EntityManager,
    name: string,
  ): Promise<Stored<EnvironmentDocument> | undefined> {
    return typed(await this.find(tx, 'Environment', name), environmentDocument);
  }

  async application(
    tx: EntityManager,
    name: string,
  ): Promise<Stored<ApplicationDocument> | undefined> {
    return typed(await this.find(tx, 'Application', name), applicationDocument);
  }

  async release(tx: EntityManager, name: string): Promise<Stored<ReleaseDocument> | undefined> {
    return typed(await this.find(tx, 'Release', name), releaseDocument);
  }

  /** The chains of these names, of both kinds, in the order of the names. */
  async chains(
    tx: EntityManager,
    names: readonly string[],
  ): Promise<Array<Stored<UpgradeChainDocument | ServiceTemplateChainDocument>>> {
    const found: Array<Stored<UpgradeChainDocument | ServiceTemplateChainDocument>> = [];
    for (const name of new Set(names)) {
      const ours = typed(await this.find(tx, 'UpgradeChain', name), upgradeChainDocument);
      if (ours !== undefined) found.push(ours);
      const theirs = await this.find(tx, 'ServiceTemplateChain', name);
      const chain = typed(theirs, serviceTemplateChainDocument);
      if (chain !== undefined) found.push(chain);
    }
    return found;
  }

  /** In the order in which they were last changed. */
  async releasesOf(
    tx: EntityManager,
    application: string,
  ): Promise<Array<Stored<ReleaseDocument>>> {
    const rows = await tx.query<DocumentRow[]>(
      `SELECT ${COLUMNS} FROM (SELECT DISTINCT ON (name) * FROM documents WHERE kind = 'Release' ORDER BY name, generation DESC) latest
       WHERE application = $1 AND NOT deleted ORDER BY created_at, name`,
      [application],
    );
    return rows
      .map((row) => typed(fromRow(row), releaseDocument))
      .filter((one) => one !== undefined);
  }
}

function assertGeneration(
  kind: DocumentKind,
  name: string,
  present: number,
  wanted: number | undefined,
): void {
  if (wanted === undefined || wanted === present) return;
  throw new LiftlockError(
    'precondition_failed',
    `${kind} ${name} ${present === 0 ? 'is not there yet' : `is at generation ${present}`}, not ${wanted}: ` +
      'read it again, and decide anew',
    { details: { generation: present } },
  );
}

function typed<D extends LiftlockDocument>(
  stored: StoredDocument | undefined,
  schema: { parse(value: unknown): D },
): Stored<D> | undefined {
  if (stored === undefined) return undefined;
  return {
    document: schema.parse(stored.document),
    generation: stored.generation,
    digest: stored.digest,
  };
}

function fromRow(row: DocumentRow): StoredDocument {
  return {
    kind: row.kind,
    name: row.name,
    generation: row.generation,
    digest: row.digest,
    createdAt: row.created_at.toISOString(),
    document: documentSchema.parse(JSON.parse(row.body)),
  };
}
