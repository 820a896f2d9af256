import { expect, it } from 'vitest';
import { serviceTemplateChainDocument, type Observation } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { chainQuestions, chainsSeen, chainsThatCount, chainWarnings } from './cluster-chains.js';
import { documentsOf } from './planning-documents.js';
import { Problems } from './problems.js';

const documents = (target = 'north') => {
  const application = given.application();
  const chains = ['stored', { target, namespace: 'tenant', name: 'up' }];
  const north = { name: 'north', driver: 'kubernetes' as const, endpoint: 'kubeconfig://one' };
  const credentials = { kubeconfig: 'env:LIFTLOCK_SECRET_ONE' };
  const host = { name: 'host', driver: 'docker' as const, endpoint: 'unix:///a.sock' };
  return {
    environment: given.stored(given.environment({ targets: [{ ...north, credentials }, host] })),
    application: given.stored({ ...application, spec: { ...application.spec, chains } }),
  };
};
type Seen = NonNullable<Observation['chains']>[number];
const spec = (to: string) => ({
  supportedTemplates: [
    { name: 'a', availableUpgrades: [{ name: to }] },
    { name: 'b', availableUpgrades: [] },
  ],
});
const found = { namespace: 'tenant', name: 'up', generation: 3, spec: spec('b') };

function seen(chain: Seen): ReturnType<typeof chainsSeen> | string {
  const problems = new Problems();
  const observation = { ...given.observed('north', [], []), chains: [chain] };
  const chains = chainsSeen(documents(), [observation], problems);
  return problems.any ? problems.toError('it').message : chains;
}

it('asks the cluster for the chains that are named there, and for no others', () => {
  const problems = new Problems();
  expect(chainQuestions(documents(), problems)).toMatchObject([
    { target: { name: 'north' }, containers: [], chains: [{ namespace: 'tenant', name: 'up' }] },
  ]);
  expect(problems.any).toBe(false);
});

it('takes a chain as it is there, with how often it was changed', () => {
  expect(seen(found)).toMatchObject([
    { generation: 3, document: { metadata: { name: 'up' }, spec: spec('b') } },
  ]);
});

it('counts one that is in a cluster and not the document of its name, and says so', () => {
  const document = (name: string) =>
    given.stored(
      serviceTemplateChainDocument.parse({
        apiVersion: 'k0rdent.mirantis.com/v1beta1',
        ...{ kind: 'ServiceTemplateChain', metadata: { name }, spec: spec('b') },
      }),
    );
  const there = seen(found);
  if (typeof there === 'string') throw new Error(there);
  const chains = chainsThatCount([document('stored'), document('up')], there);
  expect(documentsOf(chains)).toMatchObject([
    { name: 'stored', generation: 1 },
    { name: 'up', generation: 3, from: { target: 'north', namespace: 'tenant' } },
  ]);
  const { document: application } = documents().application;
  expect(chainWarnings(application, chains)).toEqual([]);
  const [, elsewhere] = application.spec.chains;
  const both = { ...application, spec: { ...application.spec, chains: ['up', elsewhere ?? ''] } };
  expect(chainWarnings(both, chains)).toEqual([
    expect.stringContaining('ServiceTemplateChain up counts as it is in tenant on north'),
  ]);
  // one that is no ServiceTemplateChain is not left out
  expect(chainWarnings(both, [...chains, document('up')])).toEqual([]);
});

it.each<[string, Seen, string]>([
  [
    'is not there',
    { namespace: 'tenant', name: 'up' },
    'there is no ServiceTemplateChain tenant/up on north',
  ],
  [
    'k0rdent does not take',
    { ...found, problem: 'no template a' },
    'does not go by the ServiceTemplateChain tenant/up on north: no template a',
  ],
  [
    'leads nowhere',
    { ...found, spec: spec('c') },
    'template c is allowed for upgrade but is not present',
  ],
  [
    'is no chain',
    { ...found, spec: { supportedTemplates: 'a' } },
    'cannot be read: /spec/supportedTemplates',
  ],
])('refuses one that %s', (_why, chain, message) => {
  expect(seen(chain)).toContain(message);
});

it.each([
  ['south', 'has no target south'],
  ['host', 'host, which is no Kubernetes cluster'],
])('refuses to look for one on %s', (target, message) => {
  const problems = new Problems();
  expect(chainQuestions(documents(target), problems)).toEqual([]);
  expect(problems.toError('it').message).toContain(message);
});
