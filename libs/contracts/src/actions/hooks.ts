import { z } from 'zod';
import { name, sha256, stepId } from '../names.js';
import { textWithSecrets } from '../secret-references.js';
import { commandWork, setting, variables, words } from './command-work.js';
import { plainPath } from './files.js';
import { imageIdentity } from './inputs.js';
import { namesNoSecret } from './names-no-secret.js';
import {
  applyWork,
  cordonWork,
  deleteWork,
  drainWork,
  isObjectWorkType,
  mergeWork,
  objectWork,
  patchWork,
  secretWork,
  uncordonWork,
} from './object-works.js';

export const HTTP_METHODS = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;

export const httpWork = z.strictObject({
  type: z.literal('http'),
  method: z.enum(HTTP_METHODS).default('POST'),
  /** Called from where the executor runs. */
  url: z
    .url({ protocol: /^https?$/ })
    .refine(namesNoSecret, 'must not name a secret: give it by a header'),
  /** Values may hold `${LIFTLOCK_SECRET_<NAME>}`. `Idempotency-Key` is set by Liftlock: the same for each try. */
  headers: z
    .record(z.string().regex(/^[!#$%&'*+.^`|~\w-]+$/, 'is not a header’s name'), textWithSecrets)
    .default({}),
  body: textWithSecrets.optional(),
  /** Status that is wanted; default: any from 200 to 299. */
  status: z.number().int().min(100).max(599).optional(),
});

export const jobWork = z.strictObject({
  type: z.literal('job'),
  /** `name:tag` or `repository@sha256:…`; default: the image of the version that the hop, or the whole upgrade, leads to. */
  image: setting.optional(),
  entrypoint: words.optional(),
  command: words.optional(),
  /** Values may hold `${LIFTLOCK_SECRET_<NAME>}`: whoever may inspect containers on that host sees them while the job is there. */
  env: variables,
  user: setting.optional(),
  /** `none`, `host`, or the name of a network; default: the instance's own. */
  network: setting.optional(),
  /** Whether it mounts what the instance mounts; default false. */
  volumesFrom: z.boolean().default(false),
});

/** A line of a text file, without its end. */
const line = z
  .string()
  .max(4_000)
  .regex(/^(?:\t|[^\p{Cc}])*$/u, 'must be one line, without control characters')
  .refine(
    namesNoSecret,
    'must not name a secret: a file with one is among the component’s `files`',
  );
const lines = z
  .union([line, z.array(line).min(1).max(100)], { error: 'must be a line, or a list of lines' })
  .refine((some) => [some].flat().some((one) => one !== ''), 'must hold more than empty lines');

export const editWork = z.strictObject({
  type: z.literal('edit'),
  /** Absolute path inside the container, on one of its volumes or bound folders; of a text file of at most 1 MiB. */
  path: plainPath.refine(namesNoSecret, 'must not name a secret'),
  /** All of them are made at once, or none. */
  replace: z
    .array(
      z
        .strictObject({
          /** A whole line, or lines that follow one another. They must be there exactly once. */
          line: lines,
          /** What stands in their place afterwards. It, too, is never empty: by it the place is found on the way back. */
          with: lines,
        })
        .refine(
          (one) => [one.line].flat().join('\n') !== [one.with].flat().join('\n'),
          'changes nothing',
        ),
    )
    .min(1)
    .max(50),
});

const trying = {
  /** Seconds that one try may take; default 300. */
  timeoutSeconds: z
    .number()
    .min(1)
    .max(24 * 3600)
    .default(300),
  /** Further tries after one that failed; default 0. */
  retries: z.number().int().min(0).max(20).default(0),
};

const timing = {
  ...trying,
  /**
   * Whether it may run again when nobody can tell whether it ran, since the executor died under it; else a person is asked. Default: of
   * HTTP methods that are idempotent (RFC 9110, 9.2.2) yes, of others and of commands no. A job is found again by its labels.
   */
  repeatable: z.boolean().optional(),
};

/** Object works look before they change anything, too: they may always be made again. */
const objectsWith = <S extends z.ZodRawShape>(more: S) =>
  [
    mergeWork.extend(more),
    secretWork.extend(more),
    deleteWork.extend(more),
    applyWork.extend(more),
    patchWork.extend(more),
    cordonWork.extend(more),
    drainWork.extend(more),
    uncordonWork.extend(more),
  ] as const;

type Work = { readonly type: string } | z.infer<typeof httpWork>;

/** A body of these has no meaning (RFC 9110, 9.3.1 and 9.3.2), and no client sends it. */
const sendsItsBody = (work: Work): boolean =>
  !('body' in work && work.body !== undefined && /^(GET|HEAD)$/.test(work.method));
const SENDS_NO_BODY = { path: ['body'], error: 'is never sent with GET or HEAD' };

interface SaysItsWayBack {
  readonly type: string;
  readonly undo?: unknown;
  readonly irreversible?: true | undefined;
}
/** What is done to objects knows its way back where the document says nothing. */
const saysItsWayBack = ({ type, undo: back, irreversible }: SaysItsWayBack): boolean =>
  isObjectWorkType(type)
    ? back === undefined || irreversible === undefined
    : (back === undefined) !== (irreversible === undefined);
const SAYS_NO_WAY_BACK =
  'must say how it is taken back: `undo:` with a hook, `undo: none`, or `irreversible: true`, and only one of them';

/** Undefined: what is wrong within it is told as usual. */
const noHook = ({ input }: { readonly input?: unknown }): string | undefined =>
  typeof input === 'object' ? undefined : 'must be another hook, or none';

const undo = z
  .discriminatedUnion(
    'type',
    [
      commandWork.extend(timing),
      httpWork.extend(timing),
      jobWork.extend(timing),
      ...objectsWith(trying),
    ],
    { error: noHook },
  )
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'HookUndo' });
/** Where nothing runs that a command could run in. */
const undoStopped = z
  .discriminatedUnion(
    'type',
    [httpWork.extend(timing), jobWork.extend(timing), ...objectsWith(trying)],
    { error: noHook },
  )
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'StoppedHookUndo' });

const reversible = {
  ...timing,
  name,
  /** How it is taken back: by another hook, or `none` where it changes nothing that matters. */
  undo: z.union([undo, z.literal('none')]).optional(),
  /** Instead of `undo`: nothing takes it back. Once it began, the upgrade goes only forward. */
  irreversible: z.literal(true).optional(),
};

/** It looks before it changes anything, so that it may always be made again, and knows its own way back. */
const editable = {
  ...trying,
  name,
  /** `back`, the default: what this upgrade replaced is put back. `none`: it stays. */
  undo: z.enum(['back', 'none']).default('back'),
};

const backOrNone = z.enum(['back', 'none'], { error: 'must be back, none, or another hook' });
const undoOfObject = <U extends z.ZodType>(other: U) => z.union([backOrNone, other]).optional();

/** `undo` left out is `back`: by what was kept of the objects in their own cluster. `none`: what was done stays. */
const objectable = {
  ...trying,
  name,
  undo: undoOfObject(undo),
  irreversible: reversible.irreversible,
};

/** Something of the application's own that is done at a certain place of an instance's upgrade. */
export const hook = z
  .discriminatedUnion('type', [
    commandWork.extend(reversible),
    httpWork.extend(reversible),
    jobWork.extend(reversible),
    editWork.extend(editable),
    ...objectsWith(objectable),
  ])
  .refine(saysItsWayBack, SAYS_NO_WAY_BACK)
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'Hook' });

const reversibleStopped = {
  ...reversible,
  undo: z.union([undoStopped, z.literal('none')]).optional(),
};

/** Done while the instance is down: nothing of it runs that a command could run in. */
export const stoppedHook = z
  .discriminatedUnion('type', [
    httpWork.extend(reversibleStopped),
    jobWork.extend(reversibleStopped),
    editWork.extend(editable),
    ...objectsWith({ ...objectable, undo: undoOfObject(undoStopped) }),
  ])
  .refine(saysItsWayBack, SAYS_NO_WAY_BACK)
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'StoppedHook' });

export const rollbackHook = z
  .discriminatedUnion('type', [
    commandWork.extend({ ...timing, name }),
    httpWork.extend({ ...timing, name }),
    jobWork.extend({ ...timing, name }),
    editWork.extend({ ...trying, name }),
    ...objectsWith({ ...trying, name }),
  ])
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'RollbackHook' });

const distinct = <T extends z.ZodType<{ name: string }>>(one: T) =>
  z
    .array(one)
    .max(50)
    .refine(
      (all) => new Set(all.map((item) => (item as { name: string }).name)).size === all.length,
      'names two hooks alike',
    );
const named = <T extends z.ZodType<{ name: string }>>(one: T) => distinct(one).default([]);

export const hooks = z.strictObject({
  /** Before the instance is stopped, and before a snapshot of it, in this order. */
  before: named(hook),
  /**
   * When the instance has stopped and its data was snapshot, before its new version starts. On the way back they are undone when the data is
   * back, before the old version starts.
   */
  stopped: distinct(stoppedHook).optional(),
  /** When the new version was verified. One that fails takes the instance back. */
  after: named(hook),
  /** On the way back, when the old version was verified. They have no undo. */
  onRollback: named(rollbackHook),
});

/**
 * The instance in whose container a command of the whole application runs, whose network and mounts its job has, whose file is edited, or in
 * whose cluster and namespace the objects are.
 */
const inInstance = {
  instance: z.strictObject({
    component: name,
    /** Needed where the component runs on several. */
    target: name.optional(),
  }),
};
const undoOnce = z
  .discriminatedUnion(
    'type',
    [
      commandWork.extend({ ...timing, ...inInstance }),
      httpWork.extend(timing),
      jobWork.extend({ ...timing, ...inInstance }),
      ...objectsWith({ ...trying, ...inInstance }),
    ],
    { error: noHook },
  )
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'UpgradeHookUndo' });
const reversibleOnce = { ...reversible, undo: z.union([undoOnce, z.literal('none')]).optional() };

/** Something that is done once for the whole of an upgrade, whatever instances it has. */
export const upgradeHook = z
  .discriminatedUnion('type', [
    commandWork.extend({ ...reversibleOnce, ...inInstance }),
    httpWork.extend(reversibleOnce),
    jobWork.extend({ ...reversibleOnce, ...inInstance }),
    editWork.extend({ ...editable, ...inInstance }),
    ...objectsWith({ ...objectable, undo: undoOfObject(undoOnce), ...inInstance }),
  ])
  .refine(saysItsWayBack, SAYS_NO_WAY_BACK)
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'UpgradeHook' });

export const upgradeRollbackHook = z
  .discriminatedUnion('type', [
    commandWork.extend({ ...timing, name, ...inInstance }),
    httpWork.extend({ ...timing, name }),
    jobWork.extend({ ...timing, name, ...inInstance }),
    editWork.extend({ ...trying, name, ...inInstance }),
    ...objectsWith({ ...trying, name, ...inInstance }),
  ])
  .refine(sendsItsBody, SENDS_NO_BODY)
  .meta({ id: 'UpgradeRollbackHook' });

export const upgradeHooks = z.strictObject({
  /** When all is prepared, before the first instance is begun; in this order. */
  before: named(upgradeHook),
  /** When all instances were verified in the last hop, before the bake. One that fails takes the upgrade back. */
  after: named(upgradeHook),
  /** On the way back, when all instances are back. They have no undo. */
  onRollback: named(upgradeRollbackHook),
});

const call = httpWork.extend(timing).refine(sendsItsBody, SENDS_NO_BODY);

/**
 * Held while instances are upgraded: autoscaling that is off, a page that says so. Both calls may come more than once, since it is let go of on
 * pause and taken again; it is let go of on every end, and when a person is needed.
 */
export const around = z
  .array(
    z.strictObject({
      name,
      /** Before the first step of any instance. */
      acquire: call,
      release: call,
      /** Whether it is held on the way back, too; default true. Else it is let go of before anything is taken back. */
      duringRollback: z.boolean().default(true),
    }),
  )
  .max(20)
  .refine((all) => new Set(all.map((one) => one.name)).size === all.length, 'names two alike');
export type Around = z.infer<typeof around>[number];

export type StoppedHook = z.infer<typeof stoppedHook>;
export type EditWork = z.infer<typeof editWork>;
export type Hook = z.infer<typeof hook>;
export type RollbackHook = z.infer<typeof rollbackHook>;
export type HookWork = z.infer<typeof undo>;
export type UpgradeHook = z.infer<typeof upgradeHook>;
export type UpgradeRollbackHook = z.infer<typeof upgradeRollbackHook>;
export type UpgradeHookWork = z.infer<typeof undoOnce>;

/** The instance that a hook is about: it must be seen to have this image. */
const instance = {
  container: z.string().min(1),
  imageId: sha256.optional(),
  imageDigest: z.string().optional(),
};

export const hookCommandInput = z.strictObject({
  ...instance,
  work: commandWork,
  /** Of an undo: where the container does not run, what it would undo is gone with it. */
  onlyWhileRunning: z.boolean().default(false),
});
export const hookHttpInput = z.strictObject({
  work: httpWork,
  /** The step comes anew after it was done: each attempt has an `Idempotency-Key` of its own, or who keeps keys would do it once for all. */
  anew: z.literal(true).optional(),
});
export const hookJobInput = z.strictObject({ ...instance, image: imageIdentity, work: jobWork });
export const hookEditInput = z.strictObject({
  container: z.string().min(1),
  /** Of a lane's hook: the container that the lane begins with, whatever has its name by then. */
  containerId: z.string().min(1).optional(),
  work: editWork,
  /** A step may take it back: it is written down, on the target, that the change is this upgrade's. */
  recorded: z.boolean().default(false),
  /** The step that this one takes back: what that did not change stays. */
  undoes: stepId.optional(),
});
const ofObjects = {
  /** The instance that the hook belongs to: records of what was there are kept in its namespace. */
  container: z.string().min(1),
  /** Where the objects are, but for those that belong to no namespace. */
  namespace: name,
  work: objectWork,
};
export const hookObjectInput = z.strictObject({
  ...ofObjects,
  /** Of `apply`: of what `kubectl` built when the plan was made. */
  digest: sha256.optional(),
  /** A step may take it back: what was there is kept, on the target, until then. */
  recorded: z.boolean().default(false),
});
export const hookObjectBackInput = z.strictObject({
  ...ofObjects,
  /** The step that is taken back, by what it kept: where it kept nothing, nothing is done. */
  undoes: stepId,
});
export const forgetObjectsInput = z.strictObject({
  container: z.string().min(1),
  /** In which something may have been kept. */
  namespaces: z.array(name).min(1),
  /** The steps that kept it. */
  steps: z.array(stepId).min(1),
});
export const forgetEditsInput = z.strictObject({
  container: z.string().min(1),
  /** The steps whose changes they are. */
  steps: z.array(stepId).min(1),
});
export const removeJobsInput = z.strictObject({
  container: z.string().min(1),
  /** The steps whose jobs they are. */
  steps: z.array(stepId).min(1),
});

export const hookOutput = z.object({
  found: z.enum(['done_before', 'done_now', 'nothing_to_do']),
  exitCode: z.number().int().optional(),
  status: z.number().int().optional(),
  /** The last lines of what it said. */
  said: z.array(z.string()).default([]),
});
