import { Inject, Injectable, Logger } from '@nestjs/common';
import type { NextFunction, Request, Response } from 'express';
import type { Clock, IdSource } from '#kernel';
import { AuditStore } from '../auth/audit.store.js';
import { TokenService } from '../auth/token.service.js';
import { CLOCK, IDS } from '../tokens.js';
import { isOpen } from './endpoints.js';
import { ProblemFilter } from './problem.filter.js';
import { setContext, type Principal, type RequestContext } from './request-context.js';

const READS = new Set(['GET', 'HEAD', 'OPTIONS']);

/**
 * Before all routes: an id, the access log, the token, the audit. Whatever path is asked for, without a good token it ends here, so
 * that nothing can be learnt or made to work (no body is read) by who has none.
 */
@Injectable()
export class RequestGate {
  private readonly access = new Logger('access');

  constructor(
    private readonly tokens: TokenService,
    private readonly audit: AuditStore,
    private readonly problems: ProblemFilter,
    @Inject(CLOCK) private readonly clock: Clock,
    @Inject(IDS) private readonly ids: IdSource,
  ) {}

  /** As Express takes it. */
  readonly handle = (request: Request, response: Response, next: NextFunction): void => {
    const context: RequestContext = { id: this.ids.next('msg') };
    setContext(request, context);
    this.log(request, response, context);
    response.setHeader('X-Request-Id', context.id);
    response.setHeader('X-Content-Type-Options', 'nosniff');
    response.setHeader('Cache-Control', 'no-store');
    if (isOpen(request.path)) return next();
    void this.pass(request, response, context, next);
  };

  private async pass(
    request: Request,
    response: Response,
    context: RequestContext,
    next: NextFunction,
  ): Promise<void> {
    try {
      await this.admit(request, response, context);
    } catch (error) {
      this.problems.answer(error, request, response);
      return;
    }
    next();
  }

  private async admit(
    request: Request,
    response: Response,
    context: RequestContext,
  ): Promise<void> {
    const principal = await this.tokens.authenticate(request.headers.authorization);
    context.principal = principal;
    if (!READS.has(request.method)) await this.record(request, response, context, principal);
  }

  private async record(
    request: Request,
    response: Response,
    context: RequestContext,
    principal: Principal,
  ): Promise<void> {
    const id = await this.audit.begin({
      at: this.clock.now(),
      actor: principal.name,
      role: principal.role,
      method: request.method,
      path: request.path,
      request: context.id,
    });
    response.once('close', () => {
      this.audit.end(id, response.statusCode, context.code).catch((error: unknown) => {
        this.access.error({ request: context.id, err: error }, 'the audit was not completed');
      });
    });
  }

  /** One line a request: never its headers, its query or its body. */
  private log(request: Request, response: Response, context: RequestContext): void {
    const began = performance.now();
    const { method, path } = request;
    response.once('close', () => {
      const line = {
        request: context.id,
        method,
        path,
        status: response.statusCode,
        ms: Math.round(performance.now() - began),
        ...(context.principal === undefined ? {} : { actor: context.principal.name }),
        ...(context.code === undefined ? {} : { code: context.code }),
      };
      if (isOpen(path)) this.access.debug(line, 'request');
      else this.access.log(line, 'request');
    });
  }
}
