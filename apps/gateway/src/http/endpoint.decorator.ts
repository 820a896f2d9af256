import {
  applyDecorators,
  HttpCode,
  RequestMapping,
  RequestMethod,
  SetMetadata,
} from '@nestjs/common';
import type { EndpointContract } from './endpoint-contract.js';
import { ENDPOINTS, type EndpointName } from './endpoints.js';

const ENDPOINT = Symbol('endpoint');

/** Binds a method of a controller to its line in the table of endpoints. */
export function Endpoint(name: EndpointName): MethodDecorator {
  const { method, path, status }: EndpointContract = ENDPOINTS[name];
  return applyDecorators(
    RequestMapping({ path, method: RequestMethod[method] }),
    HttpCode(status),
    SetMetadata(ENDPOINT, name),
  );
}

/** The line in the table that a method was bound to. */
export function endpointOf(handler: object): EndpointName | undefined {
  return Reflect.getMetadata(ENDPOINT, handler) as EndpointName | undefined;
}
