import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import { Endpoint } from './endpoint.decorator.js';
import { ENDPOINTS } from './endpoints.js';
import { openApiDocument } from './openapi.js';
import { readInput } from './read-input.js';

@Controller()
export class AboutController {
  private document: object | undefined;

  @Endpoint('openApi')
  async openApi(@Req() request: Request): Promise<object> {
    await readInput(ENDPOINTS.openApi, request);
    return (this.document ??= openApiDocument());
  }
}
