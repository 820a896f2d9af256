import { z } from 'zod';
import { name, STEP_APPS, type StepApp } from '#contracts';
import { LiftlockError } from '#kernel';

/** How far the lines of each step service were read: `executor@main:17,backup@main:4`. */
export type LogPositions = ReadonlyMap<string, number>;

const source = z.templateLiteral([z.enum(STEP_APPS), '@', name]);
const position = z.tuple([source, z.coerce.number().int().min(0)]);

export function placeOf(app: StepApp, site: string): string {
  return `${app}@${site}`;
}

export function cursorOf(positions: LogPositions): string {
  return [...positions].map(([place, id]) => `${place}:${id}`).join(',');
}

/** @throws LiftlockError `invalid_request` when it is not one that we gave. */
export function parseCursor(cursor: string | undefined): LogPositions {
  if (cursor === undefined || cursor === '') return new Map();
  const parsed = z.array(position).safeParse(cursor.split(',').map((one) => one.split(':')));
  if (parsed.success) return new Map(parsed.data);
  throw new LiftlockError(
    'invalid_request',
    '/query/cursor: must be the cursor of an earlier answer',
    {
      issues: [{ pointer: '/query/cursor', message: 'must be the cursor of an earlier answer' }],
    },
  );
}
