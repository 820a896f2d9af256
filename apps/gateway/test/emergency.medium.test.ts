import supertest from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { storedDocument, type Role } from '#contracts';
import { startGateway, type RunningGateway } from './support/running-gateway.js';
import { aDocument, anUpgrade, ENVIRONMENT } from './support/upgrades.js';

let gateway: RunningGateway;
beforeAll(async () => {
  gateway = await startGateway();
});
afterAll(() => gateway.stop());

const RELEASE = {
  ...{ apiVersion: 'liftlock.dev/v1', kind: 'Release', metadata: { name: 'web-2.0' } },
  spec: { application: 'web', version: '2.0', components: { web: { image: 'web:2.0' } } },
};

async function ask(
  role: Role,
  {
    emergency = { reason: 'it is exploited' },
    policy = {},
    security = {},
  }: {
    readonly emergency?: object | undefined;
    readonly policy?: object;
    readonly security?: object;
  },
) {
  const environment = { ...ENVIRONMENT, spec: { ...ENVIRONMENT.spec, policy } };
  const release = { ...RELEASE, spec: { ...RELEASE.spec, ...security } };
  gateway.responders.answer({
    'get-document': ({ kind }) =>
      storedDocument.parse({
        ...{ ...aDocument(), kind },
        document: kind === 'Release' ? release : environment,
      }),
    'create-upgrade': () => ({ upgrade: anUpgrade(), created: true }),
  });
  const body = { environment: 'home', application: 'web', release: 'web-2.0' };
  return supertest(gateway.url)
    .post('/v1/upgrades')
    .set({ Authorization: `Bearer ${await gateway.token(role)}` })
    .send('reason' in emergency ? { ...body, emergency } : body);
}

const policy = { emergency: { role: 'operator' } };
const security = { security: { advisories: ['CVE-2026-12345'] } };

describe('an upgrade as an emergency', () => {
  it.each(['operator', 'admin'] as const)('is for the role of the policy: %s', async (role) => {
    const answer = await ask(role, { policy, security });
    expect(answer.status).toBe(202);
    expect(gateway.responders.questions('create-upgrade')[0]).toMatchObject({
      role,
      request: { emergency: { reason: 'it is exploited' } },
    });
  });

  it.each([
    ['who has not the role', 'requester', { policy, security }, 403, /operator \(its spec\.policy/],
    ['a release that mends nothing', 'operator', { policy }, 422, /is not a security release/],
    ['an environment without such a path', 'operator', { security }, 422, /no emergency path/],
    [
      'an operator who asks for an ordinary upgrade',
      ...(['operator', { policy, security, emergency: {} }, 403, /as an emergency only/] as const),
    ],
    [
      'one without a reason',
      ...(['operator', { policy, security, emergency: { reason: '' } }, 400, /reason/] as const),
    ],
  ] as const)('is refused to %s', async (_name, role, said, status, message) => {
    const answer = await ask(role, said);
    expect([answer.status, JSON.stringify(answer.body)]).toEqual([
      status,
      expect.stringMatching(message),
    ]);
    expect(gateway.responders.questions('create-upgrade')).toEqual([]);
  });
});
