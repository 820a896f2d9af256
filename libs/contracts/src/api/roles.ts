import { z } from 'zod';

/**
 * What a bearer token may do. Every role may look; `requester` asks for upgrades, `approver` agrees to them, `operator` intervenes
 * and keeps the documents, and asks for upgrades as an emergency where a policy lets it; `admin` may all of it, and gives out tokens.
 */
export const ROLES = ['viewer', 'requester', 'approver', 'operator', 'admin'] as const;
export type Role = (typeof ROLES)[number];
export const role = z.enum(ROLES);
