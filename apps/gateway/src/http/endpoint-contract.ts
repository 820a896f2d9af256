import { z } from 'zod';
import type { Role } from '#contracts';

/** One route: who may, what it takes and what it answers. The routes, the roles, the checks of input and OpenAPI come from here. */
export interface EndpointContract {
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** As Express takes it: `/v1/upgrades/:id`. */
  readonly path: string;
  readonly summary: string;
  readonly tag: string;
  /** Any one of these; `admin` may everything. */
  readonly roles: readonly Role[];
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  /** Request headers beside the usual ones, in lower case. */
  readonly headers?: z.ZodObject;
  readonly body?: z.ZodType;
  /** Whether the body may be YAML, too. */
  readonly yaml?: boolean;
  /** Whether the body may be left out. */
  readonly bodyOptional?: boolean;
  readonly status: number;
  readonly reply?: z.ZodType;
  /** Default `application/json`. */
  readonly replyType?: string;
  /** Further good answers, with what they mean. */
  readonly also?: Readonly<Record<number, string>>;
}

/** Everybody with a token. */
export const EVERYBODY: readonly Role[] = ['viewer', 'requester', 'approver', 'operator'];
/** How many a page holds at most. */
export const limit = z.coerce.number().int().min(1).max(500).default(100);
