import { z } from 'zod';
import { seconds, sha256 } from '../names.js';

const timing = {
  /** Seconds until a check that has not passed counts as failed; default 60. */
  deadlineSeconds: z
    .number()
    .min(0.1)
    .max(24 * 3600)
    .default(60),
  /** Milliseconds between two looks; default 250. */
  intervalMs: z.number().int().min(10).max(600_000).default(250),
  /** Seconds for which it must go on passing, without a miss, before it counts, less than the deadline; default 0, once is enough, but for `running`. */
  stableSeconds: seconds.default(0),
};

/** A regular expression of JavaScript, at most 1,000 characters. */
const pattern = z.string().min(1).max(1000).refine(isRegExp, 'is not a regular expression');
function isRegExp(text: string): boolean {
  try {
    return new RegExp(text) instanceof RegExp;
  } catch {
    return false;
  }
}

export const check = z.discriminatedUnion('type', [
  z.strictObject({
    type: z.literal('http'),
    ...timing,
    url: z.url({ protocol: /^https?$/ }),
    /** Status that is wanted; default 200. */
    status: z.number().int().min(100).max(599).default(200),
    /** The body must match; ^ and $ are those of a line. */
    body: pattern.optional(),
  }),
  z.strictObject({
    type: z.literal('tcp'),
    ...timing,
    host: z.string().min(1),
    port: z.number().int().min(1).max(65_535),
  }),
  z.strictObject({
    type: z.literal('log'),
    ...timing,
    /** All must be found in the log since the container's present start. */
    patterns: z.array(pattern).min(1),
    /** One of these found: failed at once. */
    failPatterns: z.array(pattern).default([]),
  }),
  /** The container's own HEALTHCHECK says `healthy`. */
  z.strictObject({ type: z.literal('health'), ...timing }),
  z.strictObject({
    type: z.literal('command'),
    ...timing,
    /** Run inside the container, without a shell. */
    command: z.array(z.string()).min(1),
    exitCode: z.number().int().min(0).max(255).default(0),
    /** What it prints must match; ^ and $ are those of a line. */
    stdout: pattern.optional(),
    /** One of these found in what it prints, on either output: failed at once, whatever its exit code. */
    failPatterns: z.array(pattern).default([]),
  }),
  /** The container runs and goes on running: default `stableSeconds` 1, since one look may come just before its end. */
  z.strictObject({ type: z.literal('running'), ...timing, stableSeconds: seconds.default(1) }),
]);
export type Check = z.infer<typeof check>;

/** The instance that a check is about: before any look, it must be seen to run this image. */
export const checkInput = z.strictObject({
  container: z.string().min(1),
  imageId: sha256.optional(),
  imageDigest: z.string().optional(),
  check,
});
export type CheckInput = z.infer<typeof checkInput>;
