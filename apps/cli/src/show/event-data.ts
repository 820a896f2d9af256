import { z } from 'zod';
import { approvalNeed, errorShape, type HistoryEvent } from '#contracts';

/** What the lines of a history are made of: all of it optional, since a newer fleet may say more or other things. */
const eventData = z.object({
  step: z.string().optional().catch(undefined),
  title: z.string().optional().catch(undefined),
  direction: z.string().optional().catch(undefined),
  attempt: z.number().optional().catch(undefined),
  startedAt: z.string().optional().catch(undefined),
  endedAt: z.string().optional().catch(undefined),
  afterMs: z.number().optional().catch(undefined),
  error: errorShape.optional().catch(undefined),
  from: z.string().optional().catch(undefined),
  to: z.string().optional().catch(undefined),
  instance: z.string().optional().catch(undefined),
  lane: z.string().optional().catch(undefined),
  wave: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  location: z.string().optional().catch(undefined),
  problem: z.string().optional().catch(undefined),
  reason: z.string().optional().catch(undefined),
  actor: z.string().optional().catch(undefined),
  decision: z.string().optional().catch(undefined),
  outcome: z.string().optional().catch(undefined),
  steps: z.array(z.string()).optional().catch(undefined),
  app: z.string().optional().catch(undefined),
  subject: z.string().optional().catch(undefined),
  role: z.string().optional().catch(undefined),
  comment: z.string().optional().catch(undefined),
  missing: z.array(approvalNeed).optional().catch(undefined),
  deliveries: z.number().optional().catch(undefined),
  warnings: z.array(z.string()).optional().catch(undefined),
  changes: z
    .array(z.object({ instance: z.string() }))
    .optional()
    .catch(undefined),
});
export type EventData = z.infer<typeof eventData>;

export function dataOf(event: HistoryEvent): EventData {
  return eventData.parse(event.data);
}
