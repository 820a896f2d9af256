import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import {
  createModelWorld,
  HISTORY_FILE,
  modelImageId,
  readWorld,
  writeControl,
  type ControlRule,
} from '#drivers/model';
import type { UpgradeView } from '#contracts';
import { ModelFleet } from '../support/model-fleet.js';

const VERSIONS = ['1.0', '2.0', '3.0', '4.0'];
const COMPONENTS = ['a', 'b'];
const imageOf = (version: string): string => `service:${version}`;
const head = { apiVersion: 'liftlock.dev/v1' };

let fleet: ModelFleet;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-chains-'));
  fleet = await ModelFleet.start();
});
afterAll(async () => {
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
});

/** Two components with data at 1.0, and a chain up and one down, both with an edge straight past the versions between. */
async function worldOf(name: string): Promise<string> {
  const world = join(folder, name);
  await createModelWorld(
    world,
    COMPONENTS.map((container) => ({
      container,
      image: imageOf('1.0'),
      data: { '/data/text': `of ${container}` },
    })),
    VERSIONS.map(imageOf),
  );
  const { api } = fleet;
  await api.put('environments', {
    ...head,
    kind: 'Environment',
    metadata: { name },
    spec: { targets: [{ name: 'host', driver: 'model', endpoint: world }] },
  });
  await api.put('upgradechains', {
    ...head,
    kind: 'UpgradeChain',
    metadata: { name },
    spec: {
      application: name,
      supportedVersions: VERSIONS.map((version, index) => ({
        version,
        availableUpgrades: VERSIONS.slice(index + 1),
      })),
    },
  });
  await api.put('servicetemplatechains', {
    apiVersion: 'k0rdent.mirantis.com/v1beta1',
    kind: 'ServiceTemplateChain',
    metadata: { name: `${name}-down`, namespace: 'kcm-system' },
    spec: {
      supportedTemplates: VERSIONS.map((version, index) => ({
        name: `${name}-${version}`,
        availableUpgrades: VERSIONS.slice(0, index).map((one) => ({ name: `${name}-${one}` })),
      })),
    },
  });
  await api.put('applications', {
    ...head,
    kind: 'Application',
    metadata: { name },
    spec: {
      chains: [name, `${name}-down`],
      components: COMPONENTS.map((component, index) => ({
        name: component,
        targets: ['host'],
        dependsOn: COMPONENTS.slice(0, index),
        data: { paths: ['/data'] },
        checks: [{ type: 'running', deadlineSeconds: 3, intervalMs: 50, stableSeconds: 0 }],
      })),
    },
  });
  for (const version of VERSIONS) {
    const components = COMPONENTS.map((one) => [one, { image: imageOf(version) }] as const);
    await api.put('releases', {
      ...head,
      kind: 'Release',
      metadata: { name: `${name}-${version}` },
      spec: { application: name, version, components: Object.fromEntries(components) },
    });
  }
  return world;
}

async function upgrade(name: string, version: string, policy: object = {}): Promise<UpgradeView> {
  const { api } = fleet;
  const release = `${name}-${version}`;
  const { id } = await api.upgrade({ environment: name, application: name, release, policy });
  return api.untilEnded(id);
}

interface End {
  readonly image: string;
  readonly running: boolean;
  readonly history: string | undefined;
}

/** What is under the instances' own names, and nothing else may be left. */
async function endOf(world: string): Promise<Record<string, End>> {
  const { containers, volumes } = await readWorld(world);
  return Object.fromEntries(
    Object.entries(containers).map(([name, { imageReference, running, volume }]) => [
      name,
      {
        image: imageReference,
        running,
        history: volumes[volume ?? '']?.files[HISTORY_FILE]?.content,
      },
    ]),
  );
}

const historyOf = (...versions: string[]): string =>
  [
    `made by ${modelImageId(imageOf('1.0'))}\n`,
    ...versions.map((version) => `migrated by ${modelImageId(imageOf(version))}\n`),
  ].join('');

async function violationsIn(world: string): Promise<unknown[]> {
  return (await readWorld(world)).ledger.filter((line) => 'violation' in line);
}

const broken = (version: string, container: string): ControlRule => ({
  do: 'fail-checks',
  imageId: modelImageId(imageOf(version)),
  container,
});

describe.concurrent('an upgrade over three hops', () => {
  it('runs every version on the data, one hop verified before the next, and down again by the chain that leads down', async () => {
    const world = await worldOf('walked');
    const end = await upgrade('walked', '4.0');
    expect(end.state, end.message).toBe('succeeded');
    const up = { image: imageOf('4.0'), running: true, history: historyOf('2.0', '3.0', '4.0') };
    expect(await endOf(world)).toEqual({ a: up, b: up });

    const told = (await fleet.api.history(end.id)).map(({ type, data }) => [
      type,
      data['hop'] ?? data['lane'],
    ]);
    const hops = told.filter(([type]) => type === 'hop-verified').map(([, hop]) => hop);
    expect(hops).toEqual(['h1', 'h2', 'h3']);
    const verified = told.findIndex(([type, hop]) => type === 'hop-verified' && hop === 'h1');
    const begun = told.findIndex(
      ([type, lane]) => type === 'lane-started' && String(lane).startsWith('h2/'),
    );
    expect(verified).toBeGreaterThan(-1);
    expect(begun).toBeGreaterThan(verified);

    const down = await upgrade('walked', '2.0');
    expect(down.state, down.message).toBe('succeeded');
    const history = historyOf('2.0', '3.0', '4.0', '3.0', '2.0');
    const low = { image: imageOf('2.0'), running: true, history };
    expect(await endOf(world)).toEqual({ a: low, b: low });
    expect(await violationsIn(world)).toEqual([]);
  });

  it('that fails in the last hop goes back to the origin, with the data that the first hop found', async () => {
    const world = await worldOf('origin');
    await writeControl(world, { rules: [broken('4.0', 'b')] });
    const end = await upgrade('origin', '4.0');
    expect(end.state, end.message).toBe('rolled_back');
    const old = { image: imageOf('1.0'), running: true, history: historyOf() };
    expect(await endOf(world)).toEqual({ a: old, b: old });
    expect(await violationsIn(world)).toEqual([]);
    const restored = (await readWorld(world)).ledger.flatMap((line) =>
      'effect' in line && line.effect === 'restored' ? [line.stepId.split('/')[0]] : [],
    );
    expect(restored).toEqual(['h1', 'h1']);
  });

  it('that fails in the second hop goes back to the last verified one, where the policy says so', async () => {
    const world = await worldOf('verified');
    await writeControl(world, { rules: [broken('3.0', 'b')] });
    const end = await upgrade('verified', '4.0', { rollbackTo: 'last_verified_hop' });
    expect(end.state, end.message).toBe('rolled_back');
    const kept = { image: imageOf('2.0'), running: true, history: historyOf('2.0') };
    expect(await endOf(world)).toEqual({ a: kept, b: kept });
    expect(await violationsIn(world)).toEqual([]);
  });

  it('runs exactly the plan that was agreed to, or nothing, and says what has changed', async () => {
    const world = await worldOf('agreed');
    const { api } = fleet;
    const request = { environment: 'agreed', application: 'agreed', release: 'agreed-2.0' };
    const preview = async (): Promise<string> =>
      ((await api.request('POST', '/v1/plans', request)).headers.get('etag') ?? '').replaceAll(
        '"',
        '',
      );
    const plan = await preview();
    const components = Object.fromEntries(
      COMPONENTS.map((one) => [one, { image: imageOf('2.0'), env: { A: 'b' } }]),
    );
    await api.put('releases', {
      ...head,
      kind: 'Release',
      metadata: { name: 'agreed-2.0' },
      spec: { application: 'agreed', version: '2.0', components },
    });
    const refused = await api.untilEnded((await api.upgrade({ ...request, plan })).id);
    expect(refused.state).toBe('failed');
    expect(refused.error?.code).toBe('drift');
    expect(refused.message).toContain('Release agreed-2.0 was generation 1, and is generation 2');
    expect((await readWorld(world)).ledger).toEqual([]);

    const again = await preview();
    const end = await api.untilEnded((await api.upgrade({ ...request, plan: again })).id);
    expect([end.state, end.planDigest], end.message).toEqual(['succeeded', again]);
  });

  it('shows every way that there is before anyone asks', async () => {
    await worldOf('shown');
    const path = '/v1/environments/shown/paths?application=shown';
    const way = (...upgradePath: string[]): object => ({
      release: `shown-${upgradePath.at(-1)}`,
      upgradePath,
    });
    const availableUpgrades = [way('2.0'), way('2.0', '3.0'), way('2.0', '3.0', '4.0')];
    expect((await fleet.api.request('GET', path)).body).toEqual({
      items: COMPONENTS.map((component) => ({
        ...{ component, version: '1.0', targets: ['host'], availableUpgrades },
      })),
    });
  });

  it('to a version that no chain leads to is refused, with from, to and the hops that exist', async () => {
    const world = await worldOf('astray');
    await fleet.api.put('servicetemplatechains', {
      apiVersion: 'k0rdent.mirantis.com/v1alpha1',
      kind: 'ServiceTemplateChain',
      metadata: { name: 'astray-short' },
      spec: {
        supportedTemplates: [
          { name: 'astray-1.0', availableUpgrades: [{ name: 'astray-2.0' }] },
          { name: 'astray-2.0' },
          { name: 'astray-4.0' },
        ],
      },
    });
    const { body } = await fleet.api.request('GET', '/v1/applications/astray');
    const { document } = body as { document: { metadata: { name: string }; spec: object } };
    await fleet.api.put('applications', {
      ...document,
      spec: { ...document.spec, chains: ['astray-short'] },
    });
    const end = await upgrade('astray', '4.0');
    expect(end.state).toBe('failed');
    expect(end.message).toContain(
      "a@host can't be upgraded from 1.0 to 4.0: the hops that exist are 1.0 → 2.0",
    );
    expect(Object.keys(await endOf(world))).toEqual(['a', 'b']);
  });
});
