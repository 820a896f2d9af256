import { Catch, Logger, type ArgumentsHost, type ExceptionFilter } from '@nestjs/common';
import type { Request, Response } from 'express';
import { ERROR_CODES, LiftlockError } from '#kernel';
import { allowedMethods } from './allowed-methods.js';
import { asLiftlockError, problemOf, retryAfterSeconds } from './problem.js';
import { contextOf } from './request-context.js';

/** Every error that a request ends with, of whatever origin, is answered here. */
@Catch()
export class ProblemFilter implements ExceptionFilter {
  private readonly logger = new Logger(ProblemFilter.name);

  catch(thrown: unknown, host: ArgumentsHost): void {
    const http = host.switchToHttp();
    this.answer(thrown, http.getRequest<Request>(), http.getResponse<Response>());
  }

  answer(thrown: unknown, request: Request, response: Response): void {
    const error = withMethods(asLiftlockError(thrown), request, response);
    const context = contextOf(request);
    const id = context?.id ?? 'unknown';
    if (context !== undefined) context.code = error.code;
    if (ERROR_CODES[error.code].log === 'error') {
      this.logger.error(
        { request: id, err: thrown instanceof Error ? thrown : error },
        error.message,
      );
    }
    if (response.headersSent) {
      // the status has gone: that the answer is cut short is all that can still be said
      response.destroy();
      return;
    }
    const retryAfter = retryAfterSeconds(error);
    if (retryAfter !== undefined) response.setHeader('Retry-After', retryAfter);
    if (error.code === 'unauthenticated')
      response.setHeader('WWW-Authenticate', 'Bearer realm="liftlock"');
    // a body that was not read cannot be followed by another request
    if (!request.complete) response.setHeader('Connection', 'close');
    response.status(ERROR_CODES[error.code].http).type('application/problem+json');
    response.end(JSON.stringify(problemOf(error, id)));
  }
}

/** No route was found: because of the path, or because of the method. */
function withMethods(error: LiftlockError, request: Request, response: Response): LiftlockError {
  if (error.code !== 'not_found' || !(error.cause instanceof Error)) return error;
  const methods = allowedMethods(request.path);
  if (methods.length === 0) {
    return new LiftlockError(
      'not_found',
      `there is no ${request.path}: /openapi.json lists what there is`,
    );
  }
  response.setHeader('Allow', methods.join(', '));
  return new LiftlockError(
    'method_not_allowed',
    `${request.path} takes ${methods.join(', ')}, not ${request.method}`,
  );
}
