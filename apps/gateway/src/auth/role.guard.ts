import { Injectable, type CanActivate, type ExecutionContext } from '@nestjs/common';
import type { Request } from 'express';
import type { Role } from '#contracts';
import { LiftlockError } from '#kernel';
import { endpointOf } from '../http/endpoint.decorator.js';
import { ENDPOINTS, isOpen, SERVICE_ROUTES } from '../http/endpoints.js';
import { principalOf } from '../http/request-context.js';

/** Lets a request through when the table of endpoints has a role of its token; what is not in the table is shut. */
@Injectable()
export class RoleGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    const request = context.switchToHttp().getRequest<Request>();
    if (isOpen(request.path)) return true;
    const { role } = principalOf(request);
    const roles = rolesFor(context.getHandler(), request.path);
    if (role === 'admin' || roles.includes(role)) return true;
    const needed = roles.length === 0 ? 'admin' : roles.join(' or ');
    throw new LiftlockError('forbidden', `the token's role is ${role}: this needs ${needed}`, {
      details: { role, needed: roles.length === 0 ? ['admin'] : roles },
    });
  }
}

function rolesFor(handler: object, path: string): readonly Role[] {
  const name = endpointOf(handler);
  if (name !== undefined) return ENDPOINTS[name].roles;
  const own = Object.hasOwn(SERVICE_ROUTES, path) ? SERVICE_ROUTES[path] : undefined;
  return own === undefined || own === 'open' ? [] : own;
}
