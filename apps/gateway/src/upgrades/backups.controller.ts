import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { BackupPage, BackupView, ListedBackup, PrunablePage } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';

/** Backups: asked of the site that has them. */
@Controller()
export class BackupsController {
  constructor(private readonly queries: QueryClient) {}

  @Endpoint('listBackups')
  async list(@Req() request: Request): Promise<BackupPage> {
    const { query } = await readInput(ENDPOINTS.listBackups, request);
    const { site, ...asked } = query;
    return this.queries.ask('list-backups', asked, { site });
  }

  @Endpoint('prunableBackups')
  async prunable(@Req() request: Request): Promise<PrunablePage> {
    const { query } = await readInput(ENDPOINTS.prunableBackups, request);
    const { site, ...asked } = query;
    return this.queries.ask('prunable-backups', asked, { site });
  }

  @Endpoint('getBackup')
  async get(@Req() request: Request): Promise<BackupView> {
    const { params, query } = await readInput(ENDPOINTS.getBackup, request);
    return this.queries.ask('get-backup', params, query);
  }

  @Endpoint('verifyBackup')
  async verify(@Req() request: Request): Promise<ListedBackup> {
    const { params, query } = await readInput(ENDPOINTS.verifyBackup, request);
    return this.queries.ask('verify-backup', params, query);
  }

  @Endpoint('deleteBackup')
  async delete(@Req() request: Request): Promise<ListedBackup> {
    const { params, query } = await readInput(ENDPOINTS.deleteBackup, request);
    return this.queries.ask('delete-backup', params, query);
  }
}
