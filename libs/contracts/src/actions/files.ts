import { posix } from 'node:path';
import { z } from 'zod';
import { textWithSecrets } from '../secret-references.js';

/** Most of all files of one component together, in characters: they travel in one step. */
const MOST_CONTENT = 32 * 1024;

const isClean = (path: string): boolean => posix.normalize(path) === path && !path.endsWith('/');
const owner = z.number().int().min(0).max(0xffff_fffe).default(0);

/** Of a file inside a container. */
export const plainPath = z
  .string()
  .max(1000)
  .startsWith('/')
  .regex(/^[^\p{Cc}]+$/u, 'must not hold control characters')
  .refine(isClean, 'must be the plain path of a file: no `.`, `..`, `//`, and no / at its end');

/** A file that is there only while an instance is upgraded. */
export const ephemeralFile = z.strictObject({
  /** Absolute path inside the container, on one of its volumes or binds; its folder must be there. */
  path: plainPath,
  /** Permissions, octal; default `0600`: its owner alone. */
  mode: z
    .string()
    .regex(/^0?[0-7]{3}$/, 'must be octal digits in quotes, as "0600"')
    .default('0600'),
  /** Numbers of its owner and group, as the container sees them; default 0. */
  uid: owner,
  gid: owner,
  /** What it holds; `${LIFTLOCK_SECRET_<NAME>}` is resolved by the executor when it writes the file, and by nobody else. */
  content: textWithSecrets,
});
export type EphemeralFile = z.infer<typeof ephemeralFile>;

const paths = (files: readonly EphemeralFile[]): string[] => files.map(({ path }) => path);

export const ephemeralFiles = z
  .array(ephemeralFile)
  .max(100)
  .refine((files) => new Set(paths(files)).size === files.length, 'names a path twice')
  .refine(
    (files) => files.reduce((sum, { content }) => sum + content.length, 0) <= MOST_CONTENT,
    'holds more than 32 KiB in all',
  );

const instance = {
  container: z.string().min(1),
  containerId: z.string().min(1),
};

export const prepareFilesInput = z.strictObject({ ...instance, files: ephemeralFiles.min(1) });
export const writeFilesInput = z.strictObject({ ...instance, files: ephemeralFiles.min(1) });
export const removeFilesInput = z.strictObject({
  ...instance,
  paths: z.array(ephemeralFile.shape.path).min(1),
});
export const filesOutput = z.object({
  found: z.enum(['done_before', 'done_now', 'nothing_to_do']),
});
