import type { Request } from 'express';
import type { Role } from '#contracts';
import { LiftlockError } from '#kernel';

/** Who asks. */
export interface Principal {
  /** The token's name: in histories and in the audit. */
  readonly name: string;
  readonly role: Role;
  /** Whether the token is still good. For what is long under way. */
  stillGood(): Promise<boolean>;
}

/** What is known of a request besides what it says. */
export interface RequestContext {
  readonly id: string;
  principal?: Principal;
  /** Code of the problem that it was answered with. */
  code?: string;
}

const contexts = new WeakMap<Request, RequestContext>();

export function setContext(request: Request, context: RequestContext): void {
  contexts.set(request, context);
}

export function contextOf(request: Request): RequestContext | undefined {
  return contexts.get(request);
}

/** @throws LiftlockError `unauthenticated`: the request did not pass the gate. */
export function principalOf(request: Request): Principal {
  const principal = contexts.get(request)?.principal;
  if (principal === undefined) {
    throw new LiftlockError('unauthenticated', 'give a token: Authorization: Bearer …');
  }
  return principal;
}
