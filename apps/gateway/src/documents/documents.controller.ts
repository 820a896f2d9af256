import { Controller, Req, Res, type Type } from '@nestjs/common';
import type { Request, Response } from 'express';
import {
  DOCUMENT_COLLECTIONS,
  type LiftlockDocument,
  type QueryReply,
  type StoredDocument,
} from '#contracts';
import { LiftlockError } from '#kernel';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { principalOf } from '../http/request-context.js';

/** The routes of one kind of document. */
export function documentsController(collection: keyof typeof DOCUMENT_COLLECTIONS): Type<unknown> {
  const kind = DOCUMENT_COLLECTIONS[collection];

  @Controller()
  class DocumentsController {
    constructor(private readonly queries: QueryClient) {}

    @Endpoint(`list:${collection}`)
    async list(@Req() request: Request): Promise<QueryReply<'list-documents'>> {
      const { query } = await readInput(ENDPOINTS[`list:${collection}`], request);
      return this.queries.ask('list-documents', { kind, ...query });
    }

    @Endpoint(`get:${collection}`)
    async get(
      @Req() request: Request,
      @Res({ passthrough: true }) response: Response,
    ): Promise<StoredDocument | undefined> {
      const { params, query, headers } = await readInput(ENDPOINTS[`get:${collection}`], request);
      const stored = await this.queries.ask('get-document', { kind, ...params, ...query });
      const etag = etagOf(stored);
      response.setHeader('ETag', etag);
      if (!matches(headers['if-none-match'], etag)) return stored;
      response.status(304);
      return undefined;
    }

    @Endpoint(`put:${collection}`)
    async put(
      @Req() request: Request,
      @Res({ passthrough: true }) response: Response,
    ): Promise<StoredDocument> {
      const { params, headers, body } = await readInput(ENDPOINTS[`put:${collection}`], request);
      // parsed by the schema of this kind
      const document = body as LiftlockDocument;
      if (document.metadata.name !== params.name) {
        const message = `is ${document.metadata.name}, and the path says ${params.name}`;
        throw new LiftlockError('invalid_document', `/metadata/name ${message}`, {
          issues: [{ pointer: '/metadata/name', message }],
        });
      }
      const ifGeneration = generationOf(headers);
      const stored = await this.queries.ask('put-document', {
        kind,
        name: params.name,
        body: document,
        actor: principalOf(request).name,
        ...(ifGeneration === undefined ? {} : { ifGeneration }),
      });
      const first = stored.changed && stored.document.generation === 1;
      response.status(first ? 201 : 200);
      response.setHeader('ETag', etagOf(stored.document));
      if (first) response.setHeader('Location', `/v1/${collection}/${params.name}`);
      return stored.document;
    }

    @Endpoint(`delete:${collection}`)
    async delete(@Req() request: Request): Promise<void> {
      const { params, headers } = await readInput(ENDPOINTS[`delete:${collection}`], request);
      const ifGeneration = generationOf(headers);
      await this.queries.ask('delete-document', {
        ...{ kind, name: params.name, actor: principalOf(request).name },
        ...(ifGeneration === undefined ? {} : { ifGeneration }),
      });
    }

    @Endpoint(`history:${collection}`)
    async history(@Req() request: Request): Promise<QueryReply<'document-history'>> {
      const { params, query } = await readInput(ENDPOINTS[`history:${collection}`], request);
      return this.queries.ask('document-history', { kind, name: params.name, ...query });
    }
  }
  return DocumentsController;
}

function etagOf({ generation }: StoredDocument): string {
  return `"${generation}"`;
}

function matches(ifNoneMatch: string | undefined, etag: string): boolean {
  if (ifNoneMatch === undefined) return false;
  const tags = ifNoneMatch.split(',').map((tag) => tag.trim().replace(/^W\//, ''));
  return tags.includes('*') || tags.includes(etag);
}

function generationOf(headers: {
  'if-match'?: string | undefined;
  'if-none-match'?: '*' | undefined;
}): number | undefined {
  if (headers['if-none-match'] === '*') return 0;
  return headers['if-match'] === undefined
    ? undefined
    : Number(headers['if-match'].replaceAll('"', ''));
}
