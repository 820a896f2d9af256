import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { Observation } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';

@Controller()
export class ObservationsController {
  constructor(private readonly queries: QueryClient) {}

  @Endpoint('observe')
  async observe(@Req() request: Request): Promise<Observation> {
    const { target, containers } = (await readInput(ENDPOINTS.observe, request)).body;
    return this.queries.ask('observe', { target, containers, images: [] }, { site: target.site });
  }
}
