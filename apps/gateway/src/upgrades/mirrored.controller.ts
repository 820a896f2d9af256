import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import type { MirroredPage } from '#contracts';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';

/** What upgrades brought to mirrors. */
@Controller()
export class MirroredController {
  constructor(private readonly queries: QueryClient) {}

  @Endpoint('listMirrored')
  async list(@Req() request: Request): Promise<MirroredPage> {
    const { query } = await readInput(ENDPOINTS.listMirrored, request);
    const { site, ...asked } = query;
    return this.queries.ask('list-mirrored', asked, { site });
  }

  @Endpoint('listMirrorGarbage')
  async garbage(@Req() request: Request): Promise<MirroredPage> {
    const { query } = await readInput(ENDPOINTS.listMirrorGarbage, request);
    const { site, ...asked } = query;
    return this.queries.ask('mirror-garbage', asked, { site });
  }

  @Endpoint('deleteMirrored')
  async delete(@Req() request: Request): Promise<MirroredPage> {
    const { params, query } = await readInput(ENDPOINTS.deleteMirrored, request);
    const { site, target } = query;
    return this.queries.ask('delete-mirrored', { ...params, target }, { site });
  }
}
