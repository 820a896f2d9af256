import { z } from 'zod';
import { dottedName, name } from '../names.js';
import { textWithSecrets } from '../secret-references.js';
import { namesNoSecret } from './names-no-secret.js';
import { plainPath } from './files.js';

/** Kinds of Kubernetes are written as its manifests write them; one that several groups have, with its group: `Cluster.example.com`. */
const KIND = String.raw`[A-Z][A-Za-z0-9]*(\.[a-z0-9]([-a-z0-9.]*[a-z0-9])?)?`;
/** Names of most objects are DNS subdomains; those of RBAC may hold colons. */
const NAME = String.raw`[a-z0-9]([-a-z0-9.:]*[a-z0-9])?`;

const ofKind = (kind: string, example: string) =>
  z
    .string()
    .max(400)
    .regex(new RegExp(`^${kind}/${NAME}$`), `must be of the form ${example}`);

const namespace = {
  /** Default: the instance's. Of no meaning for what belongs to no namespace. */
  namespace: name.optional(),
};

const key = z
  .string()
  .max(253)
  .regex(/^[-._a-zA-Z0-9]+$/, 'is not a key: A-Z, a-z, 0-9, -, _ and .');
const plainValue = z
  .string()
  .refine(namesNoSecret, 'must not name a secret: that belongs into a Secret (type: secret)');
const changesSomething = (data: object): boolean => Object.keys(data).length > 0;
const CHANGES_NOTHING = 'changes nothing: name a key';

/** Puts keys into a ConfigMap that is there. */
export const mergeWork = z.strictObject({
  type: z.literal('merge'),
  /** `ConfigMap/NAME` */
  object: ofKind('ConfigMap', 'ConfigMap/NAME'),
  ...namespace,
  /** null removes a key; what is not named stays. */
  data: z.record(key, plainValue.nullable()).refine(changesSomething, CHANGES_NOTHING),
});

/** Puts keys into a Secret, or makes it anew; what was there is kept as a copy in its namespace, and never leaves its cluster. */
export const secretWork = z.strictObject({
  type: z.literal('secret'),
  /** `Secret/NAME` */
  object: ofKind('Secret', 'Secret/NAME'),
  ...namespace,
  /** Values may hold `${LIFTLOCK_SECRET_<NAME>}`; null removes a key. */
  data: z.record(key, textWithSecrets.nullable()).refine(changesSomething, CHANGES_NOTHING),
  /** Whether it has these keys and no others afterwards, and is made where there is none; default false: they are put into the one that is there. */
  replace: z.boolean().default(false),
});

/** Deletes an object, and waits until it and what it owns are gone; it is kept in its own cluster, to be made again. One that is not there is no error. */
export const deleteWork = z.strictObject({
  type: z.literal('delete'),
  /** `KIND/NAME`, or `KIND.GROUP/NAME` */
  object: ofKind(KIND, 'KIND/NAME or KIND.GROUP/NAME'),
  ...namespace,
});

/** Applies manifests on the server's side, under a field manager of our own. What they hold is pinned by the plan. */
export const applyWork = z.strictObject({
  type: z.literal('apply'),
  /** On the executor's machine: a file of manifests, a folder with a kustomization, which `kubectl` builds, or one with a chart, which `helm` builds. */
  path: plainPath.refine(namesNoSecret, 'must not name a secret'),
  ...namespace,
  /** Whether fields that others own are taken over; default false: they are named, and nothing is changed. */
  force: z.boolean().default(false),
});

const deadline = {
  /** Seconds after which it has failed; default 300. */
  deadlineSeconds: z
    .number()
    .min(1)
    .max(24 * 3600)
    .default(300),
};

const until = z.union(
  [
    z.strictObject({
      /** One of `status.conditions`, by its type: `Ready`. */
      condition: z
        .string()
        .regex(/^[A-Za-z][-A-Za-z0-9_./]{0,315}$/, 'is not the type of a condition'),
      /** Default `True`. */
      status: z.enum(['True', 'False', 'Unknown']).default('True'),
    }),
    z.strictObject({
      /** As `kubectl get -o jsonpath` takes it: `{.status.services[0].state}`. */
      jsonPath: z
        .string()
        .max(1_000)
        .regex(/^\{[^{}]+\}$/, 'must be of the form {.status.phase}'),
      /** What it must give, as text. */
      equals: z.string().max(1_000),
    }),
  ],
  { error: 'must be a `condition`, or a `jsonPath` with what it `equals`' },
);

/** Changes any object, one of a custom resource too, by a merge patch (RFC 7386), and waits for what follows from it. */
export const patchWork = z.strictObject({
  type: z.literal('patch'),
  /** `KIND/NAME`, or `KIND.GROUP/NAME` */
  object: ofKind(KIND, 'KIND/NAME or KIND.GROUP/NAME'),
  ...namespace,
  /** An empty one changes nothing: it is only waited. */
  patch: z
    .record(z.string(), z.json())
    .refine(
      (patch) => namesNoSecret(JSON.stringify(patch)),
      'must not name a secret: a Secret is for it',
    ),
  /** What must hold before it is done, seen of the generation that the patch made. Left out: nothing is waited for. */
  until: until.optional(),
  ...deadline,
});

const nodes = z
  .strictObject({
    names: z.array(dottedName).min(1).max(1_000).optional(),
    /** Labels that a node must have, all of them. */
    selector: z
      .record(z.string(), z.string())
      .refine((labels) => Object.keys(labels).length > 0, 'must name a label')
      .optional(),
  })
  .refine(
    ({ names, selector }) => (names === undefined) !== (selector === undefined),
    'must be `names`, or a `selector`, and only one of them',
  )
  .meta({ id: 'Nodes' });

/** No pod is put on the nodes any more. */
export const cordonWork = z.strictObject({ type: z.literal('cordon'), nodes });
/** Lets pods be put on them again: on those alone that this upgrade cordoned. */
export const uncordonWork = z.strictObject({ type: z.literal('uncordon'), nodes });
/** Cordons the nodes, and evicts their pods as PodDisruptionBudgets allow; those of DaemonSets, and mirror pods, stay. */
export const drainWork = z.strictObject({
  type: z.literal('drain'),
  nodes,
  ...deadline,
  /** Seconds that a pod has to end; default: its own. */
  gracePeriodSeconds: z.number().int().min(0).max(86_400).optional(),
  /** Whether pods go whose `emptyDir` goes with them; default false: one that has any is named, and nothing is evicted. */
  deleteEmptyDirData: z.boolean().default(false),
  /** Whether pods go that nothing makes again elsewhere; default false: one such is named, and nothing is evicted. */
  evictUnmanaged: z.boolean().default(false),
});

/** What is done to objects of a cluster's API. */
export const OBJECT_WORKS = [
  mergeWork,
  secretWork,
  deleteWork,
  applyWork,
  patchWork,
  cordonWork,
  drainWork,
  uncordonWork,
] as const;
export const objectWork = z.discriminatedUnion('type', OBJECT_WORKS);
export type ObjectWork = z.infer<typeof objectWork>;

/** Of a hook what is done, without when, how often and how it is taken back. */
export function objectWorkOf(hook: ObjectWork): ObjectWork {
  const shape = OBJECT_WORKS.find((one) => one.shape.type.value === hook.type)?.shape ?? {};
  const own = Object.entries(hook).filter(([field]) => Object.hasOwn(shape, field));
  return objectWork.parse(Object.fromEntries(own));
}

const TYPES: ReadonlySet<string> = new Set(OBJECT_WORKS.map(({ shape }) => shape.type.value));

/** Whether a hook, or what it does, is about objects of a cluster's API. */
export function isObjectWork<W extends { readonly type: string }>(
  work: W,
): work is Extract<W, { readonly type: ObjectWork['type'] }> {
  return isObjectWorkType(work.type);
}

export function isObjectWorkType(type: string): boolean {
  return TYPES.has(type);
}
