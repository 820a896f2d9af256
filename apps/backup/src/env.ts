import { z } from 'zod';
import { stepServiceEnv, withSecretSources } from '#service';

const reference = z
  .string()
  .regex(
    /^env:LIFTLOCK_SECRET_[A-Z0-9_]+$/,
    'must be env:LIFTLOCK_SECRET_<NAME>: secrets themselves never stand here',
  );

const listOf = (one: z.ZodString): z.ZodType<string[]> =>
  z
    .string()
    .default('')
    .transform((text) => text.split(',').map((word) => word.trim()))
    .transform((words) => words.filter((word) => word !== ''))
    .pipe(z.array(one));

const fields = stepServiceEnv.extend({
  /** Instances of what is asked for by hand that one process is at at the same time. Default 4. */
  LIFTLOCK_BACKUP_AT_ONCE: z.coerce.number().int().min(1).max(1_000).default(4),
  /**
   * Bytes of an archive for each byte of data, where no earlier backup of the instance tells: what a snapshot must find free.
   * Default 1: as if nothing could be packed.
   */
  LIFTLOCK_BACKUP_RATIO: z.coerce.number().min(0.01).max(2).default(1),
  /** Image of the pods that read and write data on PersistentVolumeClaims: with sh, GNU tar, zstd, find, coreutils and getfattr. Default none. */
  LIFTLOCK_HELPER_IMAGE: z.string().min(1).optional(),
  /**
   * Folders of this machine that data may be read from and put back to, with all below them; absolute, with `:` between. Default none:
   * whoever may write documents could else read any file here, and write any.
   */
  LIFTLOCK_FOLDERS: z
    .string()
    .default('')
    .transform((text) => text.split(':').filter((folder) => folder !== ''))
    .pipe(
      z.array(
        z
          .string()
          .regex(
            /^\/(?!\/*$)/,
            'must be absolute, and not / itself: give the folders that shares are mounted at',
          ),
      ),
    ),
  /** Days after which each backup of this site is read back once more, one at a time. Default 30; 0: only when somebody asks. */
  LIFTLOCK_VERIFY_DAYS: z.coerce.number().min(0).max(3_650).default(30),
  /** Mebibytes that are then read in a second, at most. Default 50. */
  LIFTLOCK_VERIFY_RATE: z.coerce.number().min(0.01).max(100_000).default(50),
  /** The repository, which replicas of one site share: an absolute folder, or `s3://<bucket>[/<prefix>]`. Default: LIFTLOCK_DATA. */
  LIFTLOCK_BACKUP_STORE: z
    .string()
    .regex(
      /^(\/.*|s3:\/\/[a-z0-9][a-z0-9.-]{1,61}[a-z0-9](\/[\w!.*'()-]+)*\/?)$/,
      'must be an absolute folder, or s3://<bucket>/<prefix>',
    )
    .optional(),
  /** Of a store that is not Amazon's: `https://host[:port]`. */
  LIFTLOCK_BACKUP_S3_ENDPOINT: z
    .url({ protocol: /^https?$/ })
    .refine((text) => !new URL(text).href.includes('@'), 'must not say who asks')
    .optional(),
  LIFTLOCK_BACKUP_S3_REGION: z.string().min(1).default('us-east-1'),
  /** Whether the bucket stands in the path, and not in the host's name. Default: with an endpoint. */
  LIFTLOCK_BACKUP_S3_PATH_STYLE: z.stringbool().optional(),
  /** To `<access key id>:<secret access key>`. */
  LIFTLOCK_BACKUP_S3_CREDENTIALS: reference.optional(),
  /** MiB of a part of an upload; four of them are in memory for each snapshot. Default 8, which is enough for archives of 78 GiB. */
  LIFTLOCK_BACKUP_S3_PART_MIB: z.coerce.number().int().min(5).max(5_120).default(8),
  /** Public keys (`age1…`), with commas between, that backups are encrypted to. Default: they are not. */
  LIFTLOCK_BACKUP_RECIPIENTS: listOf(
    z.string().regex(/^age1[a-z0-9]+$/, 'must be public keys of age (age1…)'),
  ),
  /** To the password of the repositories of restic, for documents that say `engine: restic`. Default: nothing is kept by restic. */
  LIFTLOCK_BACKUP_RESTIC_PASSWORD: reference.optional(),
  /** References, with commas between, to the keys (`AGE-SECRET-KEY-…`) that encrypted backups are read with. */
  LIFTLOCK_BACKUP_KEYS: listOf(reference),
});

const complete = fields.superRefine((all, problems) => {
  const isS3 = all.LIFTLOCK_BACKUP_STORE?.startsWith('s3://') === true;
  if (isS3 && all.LIFTLOCK_BACKUP_S3_CREDENTIALS === undefined)
    problems.addIssue({
      code: 'custom',
      path: ['LIFTLOCK_BACKUP_S3_CREDENTIALS'],
      message: `is needed for ${all.LIFTLOCK_BACKUP_STORE}`,
    });
  if (all.LIFTLOCK_BACKUP_RECIPIENTS.length > 0 && all.LIFTLOCK_BACKUP_KEYS.length === 0)
    problems.addIssue({
      code: 'custom',
      path: ['LIFTLOCK_BACKUP_KEYS'],
      message: 'is needed with LIFTLOCK_BACKUP_RECIPIENTS: what is written must be read back',
    });
});

/** The backup service's. */
export const env = withSecretSources(complete);
export type Env = z.infer<typeof env>;
