import { z } from 'zod';

/** Which backup is not as it was written, and what is wrong with it. */
export const damagedBackup = {
  backup: z.string(),
  instance: z.string(),
  /** Where it lies, at that site. */
  location: z.string(),
  site: z.string(),
  problem: z.string(),
} as const;
