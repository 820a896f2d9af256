import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import { jsonSchemaOf, type UpgradePathList } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';

@Controller()
export class PathsController {
  constructor(private readonly queries: QueryClient) {}

  @Endpoint('listPaths')
  async list(@Req() request: Request): Promise<UpgradePathList> {
    const { params, query } = await readInput(ENDPOINTS.listPaths, request);
    const names = { environment: params.name, application: query.application };
    return this.queries.ask('upgrade-paths', names);
  }

  @Endpoint('getSchema')
  async schema(@Req() request: Request): Promise<Record<string, unknown>> {
    const { params } = await readInput(ENDPOINTS.getSchema, request);
    return jsonSchemaOf(params.kind);
  }
}
