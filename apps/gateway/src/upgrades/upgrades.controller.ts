import { Controller, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import type { QueryReply, UpgradeAction, UpgradeView } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { principalOf } from '../http/request-context.js';
import { assertEmergency, assertMayAsk } from './emergency.js';
import { References } from './references.js';

@Controller()
export class UpgradesController {
  constructor(
    private readonly queries: QueryClient,
    private readonly references: References,
  ) {}

  @Endpoint('createUpgrade')
  async create(
    @Req() request: Request,
    @Res({ passthrough: true }) response: Response,
  ): Promise<UpgradeView> {
    const { body, headers } = await readInput(ENDPOINTS.createUpgrade, request);
    const { name: actor, role } = principalOf(request);
    assertMayAsk(body, role);
    assertEmergency(body, role, await this.references.assertThere(body));
    const key = headers['idempotency-key'];
    const { upgrade, created } = await this.queries.ask('create-upgrade', {
      request: body,
      actor,
      role,
      ...(key === undefined ? {} : { idempotencyKey: key }),
    });
    response.status(created ? 202 : 200).setHeader('Location', `/v1/upgrades/${upgrade.id}`);
    return upgrade;
  }

  @Endpoint('listUpgrades')
  async list(@Req() request: Request): Promise<QueryReply<'list-upgrades'>> {
    const { query } = await readInput(ENDPOINTS.listUpgrades, request);
    return this.queries.ask('list-upgrades', query);
  }

  @Endpoint('getUpgrade')
  async get(@Req() request: Request): Promise<UpgradeView> {
    const { params } = await readInput(ENDPOINTS.getUpgrade, request);
    return this.queries.ask('get-upgrade', params);
  }

  @Endpoint('approve')
  approve(@Req() request: Request): Promise<UpgradeView> {
    return this.act('approve', request);
  }

  @Endpoint('reject')
  reject(@Req() request: Request): Promise<UpgradeView> {
    return this.act('reject', request);
  }

  @Endpoint('cancel')
  cancel(@Req() request: Request): Promise<UpgradeView> {
    return this.act('cancel', request);
  }

  @Endpoint('pause')
  pause(@Req() request: Request): Promise<UpgradeView> {
    return this.act('pause', request);
  }

  @Endpoint('resume')
  resume(@Req() request: Request): Promise<UpgradeView> {
    return this.act('resume', request);
  }

  @Endpoint('rollback')
  rollback(@Req() request: Request): Promise<UpgradeView> {
    return this.act('rollback', request);
  }

  @Endpoint('retry')
  retry(@Req() request: Request): Promise<UpgradeView> {
    return this.act('retry', request);
  }

  @Endpoint('skip')
  skip(@Req() request: Request): Promise<UpgradeView> {
    return this.act('skip', request);
  }

  @Endpoint('resolve')
  resolve(@Req() request: Request): Promise<UpgradeView> {
    return this.act('resolve', request);
  }

  private async act(action: UpgradeAction, request: Request): Promise<UpgradeView> {
    const { params, body } = await readInput(ENDPOINTS[action], request);
    const { name: actor, role } = principalOf(request);
    return this.queries.ask('act-on-upgrade', {
      id: params.id,
      action,
      actor,
      role,
      request: body,
    });
  }
}
