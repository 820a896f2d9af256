import type {
  ApplicationBackStep,
  ApplicationHooks,
  ApprovalNeed,
  Bracket,
  CompensationStep,
  WayBack,
  Hop,
  Lane,
  Plan,
  Policy,
  Scope,
  Step,
  StepApp,
  UndoKind,
  Wave,
} from '#contracts';
import type { SagaMessage } from '#saga';

const TARGET = { name: 'host', driver: 'model', site: 'main', endpoint: '/nowhere' } as const;

export const PLAN_DIGEST = `sha256:${'a1'.repeat(32)}`;
type Approve = Extract<SagaMessage, { type: 'approve' }>;

export function approveBy(actor: string, more: Partial<Approve> = {}): Approve {
  const at = '2026-11-21T08:00:00.000Z';
  const base = { planDigest: PLAN_DIGEST, role: 'approver', byRequester: false } as const;
  return { type: 'approve', actor, at, ...base, ...more };
}

export interface LaneShape {
  readonly instance: string;
  /** A bare command before the replacement: cannot be looked at, must not run twice. */
  readonly bareCommand?: boolean;
  /** A step with no way back, after the replacement. */
  readonly irreversible?: boolean;
  /** Stopped first, or rolled out with nothing stopped and no data; or, while it is down, an object is changed and a job writes to its data. */
  readonly way?: 'recreate' | 'rolling' | 'hooked';
  /** One bracket around the lane, or from its replacement on; not held on the way back. */
  readonly bracket?: 'none' | 'lane' | 'replace';
}

export interface PlanShape {
  /** Hops, each with waves, each with lanes. */
  readonly hops: ReadonlyArray<
    ReadonlyArray<{ readonly parallelism: number; readonly lanes: readonly LaneShape[] }>
  >;
  /** Each wave is a tier: later ones depend on it. */
  readonly tiers?: boolean;
  /** The data of all lies on one share. */
  readonly share?: boolean;
  readonly scope?: Scope;
  readonly maxFailures?: number;
  readonly rollbackTo?: Policy['rollbackTo'];
  readonly bakeSeconds?: number;
  readonly approval?: Policy['approval'];
  readonly approvals?: readonly ApprovalNeed[];
  readonly notByRequester?: boolean;
  /** One bracket around everything, held on the way back too. */
  readonly outerBracket?: boolean;
  /** Hooks of the whole application: each with a way back, or the first one without; or each is a job, and what it left is removed. */
  readonly hooks?: 'none' | 'reversible' | 'irreversible' | 'jobs';
}

function step(
  id: string,
  action: string,
  app: StepApp,
  undo: UndoKind,
  more: Partial<Step> = {},
): Step {
  return {
    id,
    title: id,
    phase: 'execute',
    action,
    app,
    target: TARGET,
    input: {},
    undo,
    timeoutSeconds: 10,
    retry: { maxAttempts: 2, backoffSeconds: 1, maxBackoffSeconds: 4 },
    observable: true,
    repeatable: false,
    ...more,
  };
}

export function buildPlan(shape: PlanShape): Plan {
  const laneIds: string[] = [];
  const brackets: Bracket[] = [];
  const instances = new Set<string>();
  const hops: Hop[] = shape.hops.map((waves, h) => {
    const compensation: CompensationStep[] = [];
    return {
      id: `h${h}`,
      from: `v${h}`,
      to: `v${h + 1}`,
      compensation,
      waves: waves.map((wave, w): Wave => ({
        id: `h${h}/w${w}`,
        parallelism: wave.parallelism,
        lanes: wave.lanes.map((lane) => {
          const id = `h${h}/w${w}/${lane.instance}`;
          laneIds.push(id);
          instances.add(lane.instance);
          compensation.push(...compensationOf(id, lane, tierOf(shape, w), shape.share === true));
          const { bracket = 'none' } = lane;
          if (bracket !== 'none') {
            const before = bracket === 'replace' ? { beforeStep: `${id}/replace` } : {};
            brackets.push({ ...bracketOf(`${id}/bracket`, [id], false), ...before });
          }
          return laneOf(id, h, lane);
        }),
      })),
    };
  });
  if (shape.outerBracket === true) brackets.push(bracketOf('outer', laneIds, true));
  return {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Plan',
    environment: 'env',
    application: 'app',
    release: 'app-2',
    from: 'v0',
    to: `v${hops.length}`,
    policy: {
      scope: shape.scope ?? 'upgrade',
      maxFailures: shape.maxFailures ?? 0,
      rollbackTo: shape.rollbackTo ?? 'origin',
      approval: shape.approval ?? 'none',
      bakeSeconds: shape.bakeSeconds ?? 0,
      bakeCheckEverySeconds: 1,
    },
    ...(shape.approvals === undefined
      ? {}
      : {
          startConditions: {
            approvals: {
              needed: [...shape.approvals],
              notByRequester: shape.notByRequester ?? true,
            },
          },
        }),
    documents: [],
    targets: [TARGET],
    observed: [],
    changes: [],
    warnings: [],
    prepare: [step('prepare/image', 'image.prepare', 'mirror', 'none_needed')],
    ...(shape.hooks === undefined || shape.hooks === 'none'
      ? {}
      : { applicationHooks: hooksOf(shape.hooks) }),
    hops,
    brackets,
    bakeChecks: [...instances].map((instance) =>
      step(`bake/${instance}`, 'instance.check', 'verifier', 'none_needed', {
        component: instance,
      }),
    ),
    finalize: [
      ...hops.flatMap((hop) =>
        hop.waves.flatMap((wave) =>
          wave.lanes.map((lane) => ({
            ...step(`${lane.id}/remove-old`, 'instance.remove-old', 'executor', 'irreversible'),
            lane: lane.id,
          })),
        ),
      ),
      ...(shape.hooks === 'jobs' ? [removal('end', ALL_JOBS)] : []),
    ],
  };
}

const WAY_JOBS = ['app/before/drain', 'app/before/tell', 'app/after/publish'];
const UNDO_JOBS = ['app/undo/publish'];
const ALL_JOBS = [
  ...WAY_JOBS,
  ...UNDO_JOBS,
  ...['app/undo/tell', 'app/undo/drain', 'app/on-rollback/mourn'],
];

/** What of these is a job is removed, where one of others, or of these, has begun. */
function removal(name: string, steps: string[], when = steps): ApplicationBackStep {
  const about = { input: { steps } };
  return {
    ...step(`app/remove/${name}`, 'hook.remove-jobs', 'executor', 'none_needed', about),
    when,
  };
}

/** `app/before/…`, `app/after/…`, `app/undo/…` of each that has a way back, and `app/remove/…` of jobs. */
function hooksOf(kind: 'reversible' | 'irreversible' | 'jobs'): ApplicationHooks {
  const sealed = kind === 'irreversible';
  const isJobs = kind === 'jobs';
  const action = isJobs ? 'hook.job' : 'hook.http';
  const hook = (id: string, undo: UndoKind, more: Partial<Step> = {}): Step =>
    step(`app/${id}`, action, 'executor', undo, more);
  const undoOf = (moment: string, name: string) => ({
    ...hook(`undo/${name}`, 'none_needed'),
    when: [`app/${moment}/${name}`],
  });
  return {
    before: [
      hook('before/drain', sealed ? 'irreversible' : 'inverse'),
      hook('before/tell', 'inverse', { observable: isJobs }),
    ],
    after: [hook('after/publish', 'inverse')],
    undoAfter: [
      ...(isJobs ? [removal('way', WAY_JOBS)] : []),
      undoOf('after', 'publish'),
      ...(isJobs ? [removal('undo', UNDO_JOBS, ['app/after/publish'])] : []),
    ],
    onceBack: [
      undoOf('before', 'tell'),
      ...(sealed ? [] : [undoOf('before', 'drain')]),
      hook('on-rollback/mourn', 'none_needed'),
    ],
  };
}

function laneOf(id: string, hop: number, shape: LaneShape): Lane {
  return {
    id,
    instance: `${shape.instance}@host`,
    component: shape.instance,
    target: 'host',
    from: `v${hop}`,
    to: `v${hop + 1}`,
    steps: [
      ...(shape.way === 'rolling'
        ? []
        : [
            step(`${id}/stop`, 'instance.stop', 'executor', 'inverse'),
            step(`${id}/snapshot`, 'data.snapshot', 'backup', 'none_needed'),
          ]),
      ...(shape.way === 'hooked'
        ? [
            step(`${id}/object`, 'hook.object', 'executor', 'inverse'),
            step(`${id}/job`, 'hook.job', 'executor', 'none_needed'),
          ]
        : []),
      ...(shape.bareCommand === true
        ? [step(`${id}/command`, 'command.run', 'executor', 'none_needed', { observable: false })]
        : []),
      step(`${id}/replace`, 'instance.replace', 'executor', 'restore', {
        input: shape.way === 'rolling' ? { rolling: true } : {},
      }),
      ...(shape.irreversible === true
        ? [step(`${id}/seal`, 'command.seal', 'executor', 'irreversible')]
        : []),
      step(`${id}/check`, 'instance.check', 'verifier', 'none_needed'),
    ],
  };
}

function tierOf({ tiers, share }: PlanShape, wave: number): number | undefined {
  if (tiers === true) return wave;
  return share === true ? 0 : undefined;
}

const WAYS: Readonly<Record<string, WayBack | undefined>> = {
  'stop-new': 'down',
  restore: 'data',
  'start-old': 'up',
  'check-old': 'up',
};

function compensationOf(
  id: string,
  { way = 'recreate' }: LaneShape,
  tier: number | undefined,
  share: boolean,
): CompensationStep[] {
  const back = (
    name: string,
    action: string,
    app: StepApp,
    when: string[],
    after: string[],
    destinationOnly: boolean,
  ): CompensationStep => {
    // what rolls takes its old version again before what it depends on goes: as it was with the new one of that on the way there
    const ofName = way === 'rolling' && name === 'start-old' ? 'down' : WAYS[name];
    const direction = name === 'restore' && !share ? undefined : ofName;
    return {
      ...step(`${id}/back/${name}`, action, app, 'none_needed', {
        input: way === 'rolling' ? { rolling: true } : {},
      }),
      lanes: [id],
      when: when.map((other) => `${id}/${other}`),
      after: after.map((other) => `${id}/back/${other}`),
      destinationOnly,
      ...(tier === undefined || direction === undefined ? {} : { order: { tier, way: direction } }),
    };
  };
  if (way === 'rolling')
    return [
      back('start-old', 'instance.restore-old', 'executor', ['replace'], [], true),
      back('check-old', 'instance.check', 'verifier', ['replace'], ['start-old'], true),
      back('remove-new', 'instance.remove-new', 'executor', ['replace'], ['check-old'], false),
    ];
  const hooked = way === 'hooked';
  return [
    ...(hooked ? [back('remove-jobs', 'hook.remove-jobs', 'executor', ['job'], [], false)] : []),
    back(
      'stop-new',
      'instance.stop-new',
      'executor',
      ['replace'],
      hooked ? ['remove-jobs'] : [],
      false,
    ),
    back(
      'restore',
      'data.restore',
      'backup',
      // what the job wrote is taken back, too, where no new version ever ran
      hooked ? ['job', 'replace'] : ['replace'],
      hooked ? ['remove-jobs', 'stop-new'] : ['stop-new'],
      true,
    ),
    ...(hooked
      ? [
          back(
            'object',
            'hook.object-back',
            'executor',
            ['object'],
            ['remove-jobs', 'stop-new', 'restore'],
            false,
          ),
        ]
      : []),
    back(
      'start-old',
      'instance.restore-old',
      'executor',
      ['stop', 'replace'],
      ['stop-new', 'restore', ...(hooked ? ['object'] : [])],
      true,
    ),
    back('check-old', 'instance.check', 'verifier', ['stop', 'replace'], ['start-old'], true),
    back('remove-new', 'instance.remove-new', 'executor', ['replace'], ['check-old'], false),
  ];
}

function bracketOf(id: string, lanes: string[], duringRollback: boolean): Bracket {
  return {
    id,
    lanes,
    duringRollback,
    acquire: step(`${id}/acquire`, 'bracket.acquire', 'executor', 'inverse'),
    release: step(`${id}/release`, 'bracket.release', 'executor', 'none_needed'),
  };
}
