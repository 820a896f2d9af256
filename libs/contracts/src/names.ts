import { z } from 'zod';

/**
 * Names of documents, targets, components and sites: DNS labels (RFC 1123), since they become NATS subject tokens, folder names
 * and Docker label values.
 */
export const name = z
  .string()
  .regex(
    /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/,
    'must be a DNS label: a-z, 0-9 and -, at most 63 characters',
  );

/** Names that may carry a version, such as a release's: DNS subdomains (RFC 1123), at most 253 characters. */
export const dottedName = z
  .string()
  .max(253)
  .regex(
    /^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/,
    'must be of a-z, 0-9, - and ., and begin and end with a letter or digit',
  );

export const sha256 = z
  .string()
  .regex(/^sha256:[0-9a-f]{64}$/, 'must be sha256: and 64 hex digits');
export const upgradeId = z
  .string()
  .regex(/^upg_[0-9a-hjkmnp-tv-z]{26}$/, 'must be an upgrade id (upg_…)');
/** Of what is backed up or restored outside of an upgrade. */
export const backupRunId = z
  .string()
  .regex(/^bak_[0-9a-hjkmnp-tv-z]{26}$/, 'must be the id of a backup (bak_…)');
/** What a backup was made for, an upgrade or itself: the folder that it is in. */
export const backupSetId = z
  .string()
  .regex(
    /^(upg|bak)_[0-9a-hjkmnp-tv-z]{26}$/,
    'must be an upgrade id (upg_…), or that of a backup (bak_…)',
  );
/** `<hop>/<wave>/<component>@<target>/<step>` and the like: at most 240 characters, no white space. */
export const stepId = z.string().regex(/^[\w@./-]{1,240}$/);
export const seconds = z
  .number()
  .min(0)
  .max(31 * 24 * 3600);
/** A fencing number: grows with every dispatch of a step, never reused. */
export const token = z.number().int().min(1);

export type JsonValue =
  | string
  | number
  | boolean
  | null
  | JsonValue[]
  | { [key: string]: JsonValue };
export const jsonObject = z.record(z.string(), z.json());
