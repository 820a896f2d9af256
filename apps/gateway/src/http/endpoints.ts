import { z } from 'zod';
import {
  actionRequest,
  applicationDocument,
  APPROVAL_ROLES,
  auditPage,
  DOCUMENT_KINDS,
  dottedName,
  environmentDocument,
  historyEvent,
  idempotencyKey,
  logPage,
  mirroredPage,
  name,
  observation,
  observationRequest,
  plan,
  planEstimate,
  releaseDocument,
  serviceTemplateChainDocument,
  sha256,
  stepId,
  tokenCreated,
  tokenPage,
  tokenRequest,
  upgradeChainDocument,
  upgradeId,
  upgradePage,
  upgradePathList,
  upgradeRequest,
  upgradeState,
  upgradeView,
  type Role,
  type UpgradeAction,
} from '#contracts';
import { backupEndpoints } from './backup-endpoints.js';
import { documentEndpoints } from './document-endpoints.js';
import { EVERYBODY, limit, type EndpointContract } from './endpoint-contract.js';

const id = z.object({ id: upgradeId });
const mirroredQuery = z.strictObject({
  environment: name.optional(),
  site: name.default('main'),
  limit,
});

function define<const E extends EndpointContract>(endpoint: E): E {
  return endpoint;
}

const ACTION_SUMMARIES: Record<UpgradeAction, string> = {
  approve: 'Agree to an upgrade that waits for it',
  reject: 'Refuse an upgrade that waits for approval',
  cancel: 'End it; what was changed is taken back',
  pause: 'Start nothing new until it is resumed',
  resume: 'Go on after a pause',
  rollback: 'Take everything back, while it runs or bakes',
  retry: 'Try a step that needs attention again',
  skip: 'Go on without a step that needs attention, for a reason',
  resolve: 'Say what became of a step that is in doubt',
};

function act<const R extends readonly Role[]>(action: UpgradeAction, roles: R) {
  return define({
    method: 'POST',
    path: `/v1/upgrades/:id/${action}`,
    summary: ACTION_SUMMARIES[action],
    tag: 'upgrades',
    roles,
    params: id,
    body: actionRequest,
    bodyOptional: true,
    status: 200,
    reply: upgradeView,
  });
}

export const ENDPOINTS = {
  createUpgrade: define({
    method: 'POST',
    path: '/v1/upgrades',
    summary: 'Begin an upgrade; an operator as an emergency only',
    tag: 'upgrades',
    roles: ['requester', 'operator'],
    headers: z.object({ 'idempotency-key': idempotencyKey.optional() }),
    body: upgradeRequest,
    status: 202,
    reply: upgradeView,
    also: { 200: 'The Idempotency-Key is known: the upgrade that it began' },
  }),
  listUpgrades: define({
    method: 'GET',
    path: '/v1/upgrades',
    summary: 'Upgrades, the newest first',
    tag: 'upgrades',
    roles: EVERYBODY,
    query: z.strictObject({
      environment: name.optional(),
      application: name.optional(),
      /** Several: separated by commas, or given several times. */
      state: z
        .union([z.string(), z.array(z.string())])
        .transform((given) =>
          (Array.isArray(given) ? given : [given]).flatMap((one) => one.split(',')),
        )
        .pipe(z.array(upgradeState))
        .optional(),
      cursor: upgradeId.optional(),
      limit,
    }),
    status: 200,
    reply: upgradePage,
  }),
  getUpgrade: define({
    method: 'GET',
    path: '/v1/upgrades/:id',
    summary: 'One upgrade',
    tag: 'upgrades',
    roles: EVERYBODY,
    params: id,
    status: 200,
    reply: upgradeView,
  }),
  streamEvents: define({
    method: 'GET',
    path: '/v1/upgrades/:id/events',
    summary:
      'Its history as server-sent events, and then what happens; ends with the upgrade. With progress=true also how far transfers are, without ids',
    tag: 'upgrades',
    roles: EVERYBODY,
    params: id,
    query: z.strictObject({
      after: z.coerce.number().int().min(0).optional(),
      progress: z.enum(['true', 'false']).optional(),
    }),
    headers: z.object({
      'last-event-id': z
        .string()
        .regex(/^\d{1,15}$/, 'must be the id of an event: a whole number')
        .optional(),
    }),
    status: 200,
    reply: historyEvent,
    replyType: 'text/event-stream',
  }),
  getPlan: define({
    method: 'GET',
    path: '/v1/upgrades/:id/plan',
    summary: 'What it does, step by step',
    tag: 'upgrades',
    roles: EVERYBODY,
    params: id,
    status: 200,
    reply: plan,
  }),
  getLogs: define({
    method: 'GET',
    path: '/v1/upgrades/:id/logs',
    summary: 'What its steps had to say, of all step services',
    tag: 'upgrades',
    roles: EVERYBODY,
    params: id,
    query: z.strictObject({
      step: stepId.optional(),
      cursor: z.string().max(4000).optional(),
      limit,
    }),
    status: 200,
    reply: logPage,
  }),
  // the plan says whose approvals it needs; the coordinator refuses the others
  approve: act('approve', APPROVAL_ROLES),
  reject: act('reject', ['approver']),
  cancel: act('cancel', ['requester', 'operator']),
  pause: act('pause', ['operator']),
  resume: act('resume', ['operator']),
  rollback: act('rollback', ['operator']),
  retry: act('retry', ['operator']),
  skip: act('skip', ['operator']),
  resolve: act('resolve', ['operator']),
  previewPlan: define({
    method: 'POST',
    path: '/v1/plans',
    summary: 'The plan that an upgrade would have now; nothing is begun',
    tag: 'plans',
    roles: ['requester', 'operator'],
    body: upgradeRequest,
    status: 200,
    reply: plan,
  }),
  estimatePlan: define({
    method: 'GET',
    path: '/v1/plans/:digest/estimate',
    summary: 'How long a plan may take, by what earlier upgrades took',
    tag: 'plans',
    roles: EVERYBODY,
    params: z.object({ digest: sha256 }),
    query: z.strictObject({ continues: upgradeId.optional() }),
    status: 200,
    reply: planEstimate,
  }),
  listPaths: define({
    method: 'GET',
    path: '/v1/environments/:name/paths',
    summary: 'What runs of an application, and the versions that it may go to, each with its way',
    tag: 'plans',
    roles: EVERYBODY,
    params: z.object({ name }),
    query: z.strictObject({ application: name }),
    status: 200,
    reply: upgradePathList,
  }),
  getSchema: define({
    method: 'GET',
    path: '/v1/schemas/:kind',
    summary: 'The JSON Schema of a kind of document, as an editor wants it',
    tag: 'documents',
    roles: EVERYBODY,
    params: z.object({ kind: z.enum(DOCUMENT_KINDS) }),
    status: 200,
    reply: z.record(z.string(), z.unknown()),
  }),
  observe: define({
    method: 'POST',
    path: '/v1/observations',
    summary: 'What runs on a target now; the target need not be in any document yet',
    tag: 'plans',
    roles: ['operator'],
    body: observationRequest,
    status: 200,
    reply: observation,
  }),
  ...backupEndpoints,
  listMirrored: define({
    method: 'GET',
    path: '/v1/mirror/images',
    summary: 'Images that upgrades brought to mirrors, the last used first, at one site',
    tag: 'mirror',
    roles: EVERYBODY,
    query: mirroredQuery,
    status: 200,
    reply: mirroredPage,
  }),
  listMirrorGarbage: define({
    method: 'GET',
    path: '/v1/mirror/garbage',
    summary: 'Of these, what no release names any more and no upgrade holds',
    tag: 'mirror',
    roles: EVERYBODY,
    query: mirroredQuery,
    status: 200,
    reply: mirroredPage,
  }),
  deleteMirrored: define({
    method: 'DELETE',
    path: '/v1/mirror/images/:digest',
    summary: 'Take an image away from a mirror; refused while anything needs it',
    tag: 'mirror',
    roles: ['operator'],
    params: z.object({ digest: sha256 }),
    query: z.strictObject({
      /** `registry/repository` that it is taken away from. */
      target: z.string().min(1).max(500),
      site: name.default('main'),
    }),
    status: 200,
    reply: mirroredPage,
  }),
  ...documentEndpoints('environments', 'Environment', environmentDocument),
  ...documentEndpoints('applications', 'Application', applicationDocument),
  ...documentEndpoints('releases', 'Release', releaseDocument),
  ...documentEndpoints('upgradechains', 'UpgradeChain', upgradeChainDocument),
  ...documentEndpoints(
    'servicetemplatechains',
    'ServiceTemplateChain',
    serviceTemplateChainDocument,
  ),
  createToken: define({
    method: 'POST',
    path: '/v1/tokens',
    summary: 'Give out a token: it is shown this once',
    tag: 'tokens',
    roles: ['admin'],
    body: tokenRequest,
    status: 201,
    reply: tokenCreated,
  }),
  listTokens: define({
    method: 'GET',
    path: '/v1/tokens',
    summary: 'The tokens that are good',
    tag: 'tokens',
    roles: ['admin'],
    status: 200,
    reply: tokenPage,
  }),
  revokeToken: define({
    method: 'DELETE',
    path: '/v1/tokens/:name',
    summary: 'Revoke a token, at once',
    tag: 'tokens',
    roles: ['admin'],
    params: z.object({ name: dottedName }),
    status: 204,
  }),
  listAudit: define({
    method: 'GET',
    path: '/v1/audit',
    summary: 'Who did what, the newest first',
    tag: 'tokens',
    roles: ['admin'],
    query: z.strictObject({ cursor: z.coerce.number().int().min(1).optional(), limit }),
    status: 200,
    reply: auditPage,
  }),
  openApi: define({
    method: 'GET',
    path: '/openapi.json',
    summary: 'This description',
    tag: 'about',
    roles: EVERYBODY,
    status: 200,
    reply: z.record(z.string(), z.unknown()),
  }),
} as const;

export type EndpointName = keyof typeof ENDPOINTS;

/** Routes of #service, by their path: open to everybody, or from this role on. */
export const SERVICE_ROUTES: Readonly<Record<string, 'open' | readonly Role[]>> = {
  '/health/live': 'open',
  '/health/ready': 'open',
  '/metrics': EVERYBODY,
};

/** Whether a path may be asked for without a token. Whatever is not known here may not. */
export function isOpen(path: string): boolean {
  return Object.hasOwn(SERVICE_ROUTES, path) && SERVICE_ROUTES[path] === 'open';
}
