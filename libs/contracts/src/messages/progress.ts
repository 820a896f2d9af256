import type { z } from 'zod';
import { STEP_APPS } from '../apps.js';
import { stepTransfer } from '../upgrade/transfers.js';
import { progress } from './define.js';

/** What services say of work that is under way. It carries numbers and ids only: no text in which a secret could stand. */
export const PROGRESS = {
  /** At most once a second and step while bytes move, and once when the step has ended. */
  'step-transfer': progress('step-transfer', {
    from: STEP_APPS,
    to: ['gateway'],
    data: stepTransfer,
  }),
} as const;

export type ProgressName = keyof typeof PROGRESS;
export type ProgressData<N extends ProgressName> = z.infer<(typeof PROGRESS)[N]['data']>;
