import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { AuditEntry, TokenCreated, TokenView } from '#contracts';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { principalOf } from '../http/request-context.js';
import { AuditStore } from './audit.store.js';
import { TokenService } from './token.service.js';

/** For admins: who may do what, and who did. */
@Controller()
export class TokensController {
  constructor(
    private readonly tokens: TokenService,
    private readonly audit: AuditStore,
  ) {}

  @Endpoint('createToken')
  async create(@Req() request: Request): Promise<TokenCreated> {
    const { body } = await readInput(ENDPOINTS.createToken, request);
    return this.tokens.create(body, principalOf(request).name);
  }

  @Endpoint('listTokens')
  async list(@Req() request: Request): Promise<{ items: TokenView[] }> {
    await readInput(ENDPOINTS.listTokens, request);
    return { items: await this.tokens.list() };
  }

  @Endpoint('revokeToken')
  async revoke(@Req() request: Request): Promise<void> {
    const { params } = await readInput(ENDPOINTS.revokeToken, request);
    await this.tokens.revoke(params.name);
  }

  @Endpoint('listAudit')
  async auditTrail(@Req() request: Request): Promise<{ items: AuditEntry[]; nextCursor?: string }> {
    const { query } = await readInput(ENDPOINTS.listAudit, request);
    const items = await this.audit.list(query.cursor, query.limit);
    const last = items.at(-1);
    return items.length === query.limit && last !== undefined
      ? { items, nextCursor: String(last.id) }
      : { items };
  }
}
