import { once } from 'node:events';
import { Controller, Req, Res } from '@nestjs/common';
import type { Request, Response } from 'express';
import { LiftlockError } from '#kernel';
import type { PlanEstimate } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { PlanPages } from './plan-pages.js';

@Controller()
export class PlansController {
  constructor(
    private readonly queries: QueryClient,
    private readonly plans: PlanPages,
  ) {}

  @Endpoint('previewPlan')
  async preview(@Req() request: Request, @Res() response: Response): Promise<void> {
    const { body } = await readInput(ENDPOINTS.previewPlan, request);
    const { digest } = await this.queries.ask('preview-plan', { request: body });
    await this.send(digest, response);
  }

  @Endpoint('getPlan')
  async get(@Req() request: Request, @Res() response: Response): Promise<void> {
    const { params } = await readInput(ENDPOINTS.getPlan, request);
    const { planDigest, state } = await this.queries.ask('get-upgrade', params);
    if (planDigest === undefined) {
      throw new LiftlockError('not_found', `upgrade ${params.id} has no plan: it is ${state}`, {
        details: { state },
      });
    }
    await this.send(planDigest, response);
  }

  @Endpoint('estimatePlan')
  async estimate(@Req() request: Request): Promise<PlanEstimate> {
    const { params, query } = await readInput(ENDPOINTS.estimatePlan, request);
    return this.queries.ask('estimate-plan', { ...params, ...query });
  }

  private async send(digest: string, response: Response): Promise<void> {
    for await (const page of this.plans.pages(digest)) {
      if (!response.headersSent) response.type('application/json').setHeader('ETag', `"${digest}"`);
      if (response.destroyed) return;
      if (!response.write(page))
        await Promise.race([once(response, 'drain'), once(response, 'close')]);
    }
    response.end();
  }
}
