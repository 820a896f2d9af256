import { Injectable, type OnApplicationBootstrap } from '@nestjs/common';
import { HttpAdapterHost } from '@nestjs/core';
import type { Express } from 'express';
import type { EndpointContract } from './endpoint-contract.js';
import { ENDPOINTS, SERVICE_ROUTES } from './endpoints.js';

/** Stops the boot when a route is not in the table of endpoints, which says who may use it, or a line of the table has no route. */
@Injectable()
export class RouteAssert implements OnApplicationBootstrap {
  constructor(private readonly host: HttpAdapterHost) {}

  onApplicationBootstrap(): void {
    const app = this.host.httpAdapter.getInstance<Express>();
    assertRoutes(routesOf(app));
  }
}

/** @throws Error naming what is missing, and where it belongs. */
export function assertRoutes(routes: ReadonlySet<string>): void {
  const endpoints = Object.values<EndpointContract>(ENDPOINTS).map(
    ({ method, path }) => `${method} ${path}`,
  );
  const known = new Set([
    ...endpoints,
    ...Object.keys(SERVICE_ROUTES).map((path) => `GET ${path}`),
  ]);
  const unknown = [...routes].filter((route) => !known.has(route));
  if (unknown.length > 0) {
    throw new Error(`nobody said who may use ${unknown.join(', ')}: add it to http/endpoints.ts`);
  }
  const unbound = endpoints.filter((route) => !routes.has(route));
  if (unbound.length > 0) {
    throw new Error(
      `no controller answers ${unbound.join(', ')}: bind it with @Endpoint, and put the controller into the module`,
    );
  }
}

function routesOf(app: Express): Set<string> {
  const found = new Set<string>();
  for (const { route } of app.router.stack) {
    if (route === undefined) continue;
    for (const { method } of route.stack)
      found.add(`${(method ?? 'all').toUpperCase()} ${route.path}`);
  }
  return found;
}
