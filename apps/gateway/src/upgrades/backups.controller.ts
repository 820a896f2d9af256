import { Controller, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { BackupPage, BackupRun, BackupView, ListedBackup, PrunablePage } from '#contracts';
import { QueryClient } from '#bus';
import { LiftlockError } from '#kernel';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { principalOf } from '../http/request-context.js';

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

  @Endpoint('createBackup')
  async create(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<BackupRun> {
    const { query, body, headers } = await readInput(ENDPOINTS.createBackup, request);
    const asked = { request: body, ...askedBy(request, headers) };
    return answer(response, await this.queries.ask('create-backup', asked, query));
  }

  @Endpoint('restoreBackup')
  async restore(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<BackupRun> {
    const { params, query, body, headers } = await readInput(ENDPOINTS.restoreBackup, request);
    const { role } = principalOf(request);
    if ('folder' in body.to && role !== 'admin')
      throw new LiftlockError(
        'forbidden',
        `the token's role is ${role}: to restore to a folder of the backup service's machine needs admin`,
        { details: { role, needed: ['admin'] } },
      );
    const asked = { ...params, request: body, ...askedBy(request, headers) };
    return answer(response, await this.queries.ask('restore-backup', asked, query));
  }

  @Endpoint('getBackupRun')
  async run(@Req() request: Request): Promise<BackupRun> {
    const { params, query } = await readInput(ENDPOINTS.getBackupRun, request);
    return this.queries.ask('get-backup-run', params, query);
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

function askedBy(
  request: Request,
  headers: { readonly 'idempotency-key'?: string | undefined },
): { actor: string; idempotencyKey?: string } {
  const key = headers['idempotency-key'];
  return {
    actor: principalOf(request).name,
    ...(key === undefined ? {} : { idempotencyKey: key }),
  };
}

function answer(
  response: Response,
  { run, created }: { readonly run: BackupRun; readonly created: boolean },
): BackupRun {
  response.status(created ? 202 : 200).setHeader('Location', `/v1/backup-runs/${run.id}`);
  return run;
}
