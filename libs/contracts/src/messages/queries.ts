import { z } from 'zod';
import { errorShape } from '../errors.js';
import { dottedName, name, sha256, stepId, upgradeId } from '../names.js';
import { stepTarget } from '../plan/step.js';
import { DOCUMENT_KINDS, storedDocument } from '../documents/documents.js';
import { freeze } from '../policy/windows.js';
import {
  actionRequest,
  historyEvent,
  idempotencyKey,
  observation,
  upgradeRequest,
  upgradeView,
} from '../upgrade/request.js';
import { ACTIONS_ON_UPGRADE, upgradeState } from '../upgrade/states.js';
import { role } from '../api/roles.js';
import * as backups from './backup-queries.js';
import * as backupRuns from './backup-run-queries.js';
import { query } from './define.js';
import * as mirror from './mirror-queries.js';

/** Who asks: for the history and the idempotency keys. */
const actor = z.string().min(1).max(200);
const page = { limit: z.number().int().min(1).max(500).default(100) };

export const QUERIES = {
  'create-upgrade': query('create-upgrade', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({
      request: upgradeRequest,
      actor,
      /** Of the actor; not there from an older gateway. */
      role: role.optional(),
      idempotencyKey: idempotencyKey.optional(),
    }),
    reply: z.object({ upgrade: upgradeView, created: z.boolean() }),
  }),
  'get-upgrade': query('get-upgrade', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({ id: upgradeId }),
    reply: upgradeView,
  }),
  'list-upgrades': query('list-upgrades', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({
      environment: name.optional(),
      application: name.optional(),
      state: z.array(upgradeState).optional(),
      /** Newest first; the id to go on after. */
      cursor: upgradeId.optional(),
      ...page,
    }),
    reply: z.object({ items: z.array(upgradeView), nextCursor: upgradeId.optional() }),
  }),
  'list-events': query('list-events', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({ id: upgradeId, after: z.number().int().min(0).default(0), ...page }),
    reply: z.object({ items: z.array(historyEvent), state: upgradeState }),
  }),
  'act-on-upgrade': query('act-on-upgrade', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({
      id: upgradeId,
      action: z.enum(ACTIONS_ON_UPGRADE),
      actor,
      /** Of the actor. */
      role,
      request: actionRequest,
    }),
    reply: upgradeView,
  }),
  /** A page of the plan's canonical JSON text: at most `PLAN_PAGE` (128 Ki) characters. */
  'get-plan': query('get-plan', {
    from: ['gateway', 'coordinator'],
    to: 'planner',
    data: z.object({ digest: sha256, offset: z.number().int().min(0).default(0) }),
    reply: z.object({
      text: z.string(),
      total: z.number().int(),
      nextOffset: z.number().int().optional(),
    }),
    timeoutSeconds: 30,
  }),
  /** How long a plan may take, by what its environment's upgrades of the application took. It stands outside of the plan and its digest. */
  'estimate-plan': query('estimate-plan', {
    from: ['gateway'],
    to: 'coordinator',
    data: z.object({
      digest: sha256,
      /** The upgrade that one by this plan is to continue. */
      continues: upgradeId.optional(),
    }),
    reply: z.object({
      /** Without the bake; nothing where there was no run to tell from. */
      seconds: z.number().min(0).optional(),
      /** Upgrades that it is told from. */
      runs: z.number().int().min(0),
      steps: z.number().int().min(0),
      /** Of these steps, those that no earlier run had: they count for nothing. */
      unknownSteps: z.number().int().min(0),
      /** Where it must have succeeded elsewhere: whether it has by now, and what is missing. */
      promotion: z
        .object({ outcome: z.enum(['holds', 'waits', 'missing']), message: z.string() })
        .optional(),
    }),
    timeoutSeconds: 30,
  }),
  'preview-plan': query('preview-plan', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({ request: upgradeRequest }),
    reply: z.object({ digest: sha256 }),
    timeoutSeconds: 60,
  }),
  /** What may follow what runs now: by component, so that a person sees it before asking. */
  'upgrade-paths': query('upgrade-paths', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({ environment: name, application: name }),
    reply: z.object({
      items: z.array(
        z.object({
          component: name,
          /** That runs: `unknown` where no release has the image, `not installed` where there is no container. */
          version: z.string(),
          targets: z.array(name),
          availableUpgrades: z.array(
            z.object({
              release: dottedName,
              /** Versions that are walked one after another, the last one the release's. */
              upgradePath: z.array(z.string()),
            }),
          ),
        }),
      ),
    }),
    timeoutSeconds: 60,
  }),
  'put-document': query('put-document', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({
      kind: z.enum(DOCUMENT_KINDS),
      name: dottedName,
      body: z.unknown(),
      actor,
      /** Only if this is the present generation; 0: only if there is none yet. */
      ifGeneration: z.number().int().min(0).optional(),
    }),
    reply: z.object({ document: storedDocument, changed: z.boolean() }),
  }),
  'get-document': query('get-document', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({
      kind: z.enum(DOCUMENT_KINDS),
      name: dottedName,
      generation: z.number().int().min(1).optional(),
    }),
    reply: storedDocument,
  }),
  'list-documents': query('list-documents', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({ kind: z.enum(DOCUMENT_KINDS), cursor: dottedName.optional(), ...page }),
    reply: z.object({ items: z.array(storedDocument), nextCursor: dottedName.optional() }),
  }),
  /** Its generations stay; refused while another document names it. */
  'delete-document': query('delete-document', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({
      kind: z.enum(DOCUMENT_KINDS),
      name: dottedName,
      actor,
      ifGeneration: z.number().int().min(1).optional(),
    }),
    reply: z.object({ generation: z.number().int().min(1) }),
  }),
  /** Generations, the newest first. */
  'document-history': query('document-history', {
    from: ['gateway'],
    to: 'planner',
    data: z.object({
      kind: z.enum(DOCUMENT_KINDS),
      name: dottedName,
      /** The generation to go on after. */
      cursor: z.number().int().min(1).optional(),
      ...page,
    }),
    reply: z.object({
      items: z.array(
        z.object({
          generation: z.number().int().min(1),
          digest: sha256,
          createdAt: z.string(),
          createdBy: z.string(),
          deleted: z.boolean(),
        }),
      ),
      nextCursor: z.number().int().optional(),
    }),
  }),
  /** What runs on a target now. */
  observe: query('observe', {
    from: ['planner', 'gateway'],
    to: 'executor',
    perSite: true,
    data: z.object({
      target: stepTarget,
      containers: z.array(z.string()),
      images: z.array(z.object({ reference: z.string(), archive: z.string().optional() })),
      /** What is to be applied to a cluster: files and folders on the executor's machine. */
      manifests: z.array(z.object({ path: z.string(), namespace: name })).optional(),
      /** ServiceTemplateChains of a cluster. */
      chains: z.array(z.object({ namespace: name, name: dottedName })).optional(),
    }),
    reply: observation,
    timeoutSeconds: 30,
  }),
  /** Where the notifier learns which webhooks an environment has. */
  'environment-webhooks': query('environment-webhooks', {
    from: ['notifier'],
    to: 'planner',
    data: z.object({ environment: name }),
    reply: z.object({
      webhooks: z.array(
        z.object({ url: z.string(), events: z.array(z.string()), secret: z.string() }),
      ),
    }),
  }),
  /** The freezes that an environment's document has now: one that was written after a plan holds for it, too. */
  'environment-freezes': query('environment-freezes', {
    from: ['coordinator'],
    to: 'planner',
    data: z.object({ environment: name }),
    reply: z.object({ freezes: z.array(freeze) }),
    // whoever approves an upgrade waits for it, and it is asked twice
    timeoutSeconds: 4,
  }),
  'examine-images': mirror.examineImages,
  'list-mirrored': mirror.listMirrored,
  'mirror-garbage': mirror.mirrorGarbage,
  'delete-mirrored': mirror.deleteMirrored,
  'used-images': mirror.usedImages,
  'held-images': mirror.heldImages,
  'mirror-step-log': stepLog('mirror-step-log', 'mirror'),
  'backup-step-log': stepLog('backup-step-log', 'backup'),
  'executor-step-log': stepLog('executor-step-log', 'executor'),
  'verifier-step-log': stepLog('verifier-step-log', 'verifier'),
  'list-backups': backups.listBackups,
  'get-backup': backups.getBackup,
  'verify-backup': backups.verifyBackup,
  'prunable-backups': backups.prunableBackups,
  'delete-backup': backups.deleteBackup,
  'ends-of-upgrades': backups.endsOfUpgrades,
  'create-backup': backupRuns.createBackup,
  'restore-backup': backupRuns.restoreBackup,
  'get-backup-run': backupRuns.getBackupRun,
  'instances-with-data': backupRuns.instancesWithData,
  'hold-instances': backupRuns.holdInstances,
  'let-go-instances': backupRuns.letGoInstances,
} as const;

function stepLog<N extends string, A extends 'mirror' | 'backup' | 'executor' | 'verifier'>(
  name: N,
  to: A,
) {
  return query(name, {
    from: ['gateway'],
    to,
    perSite: true,
    data: z.object({
      upgrade: upgradeId,
      stepId: stepId.optional(),
      after: z.number().int().min(0).default(0),
      ...page,
    }),
    reply: z.object({
      lines: z.array(
        z.object({
          /** Position, to go on after. */
          id: z.number().int(),
          stepId,
          token: z.number().int(),
          at: z.string(),
          level: z.enum(['info', 'warn', 'error']),
          text: z.string(),
        }),
      ),
    }),
  });
}

export type QueryName = keyof typeof QUERIES;
/** What the asker may leave out has its default. */
export type QueryInput<N extends QueryName> = z.input<(typeof QUERIES)[N]['data']>;
export type QueryData<N extends QueryName> = z.infer<(typeof QUERIES)[N]['data']>;
export type QueryReply<N extends QueryName> = z.infer<(typeof QUERIES)[N]['reply']>;

/** What comes back on the wire: errors travel as data, so that no code is lost on the way. */
export const replyEnvelope = z.discriminatedUnion('ok', [
  z.object({ ok: z.literal(true), data: z.unknown() }),
  z.object({ ok: z.literal(false), error: errorShape }),
]);
export type ReplyEnvelope = z.infer<typeof replyEnvelope>;
