import type { INestApplication } from '@nestjs/common';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { digestOf, LiftlockError, systemIds } from '#kernel';
import {
  plan,
  upgradeRequest,
  type DocumentKind,
  type LiftlockDocument,
  type Observation,
  type QueryData,
  type QueryReply,
} from '#contracts';
import { QueryClient } from '#bus';
import { failureOf } from '../../../test/support/failure-of.js';
import * as given from './support/planning-fixture.js';
import { openScene, startPlanner, type Scene } from './support/planner-app.js';

let scene: Scene;
let planner: INestApplication;
let observe: (question: QueryData<'observe'>) => ReturnType<Parameters<typeof openScene>[0]>;

/** What the planner asked for, at 1.0 and with all images there. */
function atOneZero({ target, containers, images }: QueryData<'observe'>): Observation {
  return given.observed(
    target.name,
    containers.map((name) =>
      name.endsWith('-liftlock-old')
        ? given.absent(name)
        : given.container(name, name === 'web' ? 'web:1.0' : 'db:1.0'),
    ),
    images.map(({ reference }) => given.present(reference)),
  );
}

beforeAll(async () => {
  observe = atOneZero;
  scene = await openScene((question) => observe(question));
  planner = await startPlanner(scene.servers);
});
afterAll(async () => {
  await planner.close();
  await scene.close();
});

const put = (body: LiftlockDocument, more: { ifGeneration?: number } = {}) =>
  scene.gateway.ask('put-document', {
    kind: body.kind,
    name: body.metadata.name,
    body,
    actor: 'tester',
    ...more,
  });

async function putAll(): Promise<void> {
  for (const document of [
    given.release('2.0'),
    given.release('1.0'),
    given.application(),
    given.environment(),
  ])
    await put(document);
}

const request = upgradeRequest.parse({
  environment: 'prod',
  application: 'shop',
  release: 'shop-2.0',
});

describe('documents', () => {
  const kind: DocumentKind = 'Release';

  it('get a generation for each change, keep the old ones, and none when nothing changed', async () => {
    const first = given.release('7.0');
    const second = given.release('7.0', { version: '7.0.1' });
    expect(await put(first)).toMatchObject({
      changed: true,
      document: { generation: 1, digest: digestOf(first) },
    });
    expect(await put(first)).toMatchObject({ changed: false, document: { generation: 1 } });
    expect(await put(second)).toMatchObject({ changed: true, document: { generation: 2 } });
    expect(await scene.gateway.ask('get-document', { kind, name: 'shop-7.0' })).toMatchObject({
      generation: 2,
      document: second,
    });
    expect(
      await scene.gateway.ask('get-document', { kind, name: 'shop-7.0', generation: 1 }),
    ).toMatchObject({ document: first });
    expect(
      (await failureOf(scene.gateway.ask('get-document', { kind, name: 'nothing' }))).code,
    ).toBe('not_found');
  });

  it('are changed on a condition only by the first of two', async () => {
    const body = (version: string) => given.release('8.0', { version });
    const tries = await Promise.allSettled(
      ['a', 'b', 'c', 'd'].map((version) => put(body(version), { ifGeneration: 0 })),
    );
    expect(tries.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    for (const one of tries)
      if (one.status === 'rejected')
        expect((one.reason as LiftlockError).code).toBe('precondition_failed');
    expect((await failureOf(put(body('e'), { ifGeneration: 5 }))).message).toContain(
      'is at generation 1, not 5',
    );
  });

  it('that two people put at once both get a generation', async () => {
    const puts = ['a', 'b', 'c', 'd', 'e'].map((version) => put(given.release('9.0', { version })));
    const generations = (await Promise.all(puts)).map(({ document }) => document.generation);
    expect(generations.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4, 5]);
  });

  it('with errors are refused with all of them, and nothing is stored', async () => {
    const body = {
      ...given.environment(),
      metadata: { name: 'bad' },
      extra: 1,
      spec: { targets: [], policy: { scope: 'all' } },
    };
    const error = await failureOf(
      scene.gateway.ask('put-document', {
        kind: 'Environment',
        name: 'bad',
        body,
        actor: 'tester',
      }),
    );
    expect(error.code).toBe('invalid_document');
    expect(error.issues?.map(({ pointer }) => pointer).toSorted()).toEqual([
      '/extra',
      '/spec/policy/scope',
      '/spec/targets',
    ]);
    expect(
      (await failureOf(scene.gateway.ask('get-document', { kind: 'Environment', name: 'bad' })))
        .code,
    ).toBe('not_found');
  });

  it('that are deleted keep their history, and one that another names is not deleted', async () => {
    const { gateway } = scene;
    const named = { kind: 'Application', name: 'gone' } as const;
    await put({ ...given.application(), metadata: { name: 'gone', labels: {} } });
    await put(given.release('7.7', { application: 'gone' }));
    const remove = (kind: 'Application' | 'Release', name: string, more: object = {}) =>
      gateway.ask('delete-document', { kind, name, actor: 'tester', ...more });
    const refused = await failureOf(remove('Application', 'gone'));
    expect([refused.code, refused.message]).toEqual([
      'conflict',
      'Application gone is named by Release shop-7.7: delete or change these first',
    ]);
    await remove('Release', 'shop-7.7');
    expect((await failureOf(remove('Application', 'gone', { ifGeneration: 7 }))).code).toBe(
      'precondition_failed',
    );
    expect(await remove('Application', 'gone')).toEqual({ generation: 2 });
    expect((await failureOf(gateway.ask('get-document', named))).code).toBe('not_found');
    expect((await gateway.ask('get-document', { ...named, generation: 1 })).generation).toBe(1);
    expect(
      (await gateway.ask('list-documents', { kind: 'Application', limit: 500 })).items,
    ).not.toContainEqual(expect.objectContaining({ name: 'gone' }));
    const again = { ...given.application(), metadata: { name: 'gone', labels: {} } };
    expect((await put(again, { ifGeneration: 0 })).document.generation).toBe(3);
    const { items } = await gateway.ask('document-history', { ...named, limit: 2 });
    expect(items.map(({ generation, deleted }) => [generation, deleted])).toEqual([
      [3, false],
      [2, true],
    ]);
  });

  it('that are chains of templates never change, as k0rdent has it', async () => {
    const chain = (template: string) => ({
      apiVersion: 'k0rdent.mirantis.com/v1beta1' as const,
      kind: 'ServiceTemplateChain' as const,
      metadata: { name: 'ingress-nginx-chain' },
      spec: { supportedTemplates: [{ name: template }] },
    });
    await put(chain('ingress-nginx-4-11-3'));
    const error = await failureOf(put(chain('ingress-nginx-4-11-5')));
    expect([error.code, error.issues]).toEqual([
      'invalid_document',
      [{ pointer: '/spec', message: 'Invalid value: "object": Spec is immutable' }],
    ]);
    const labelled = {
      ...chain('ingress-nginx-4-11-3'),
      metadata: { name: 'ingress-nginx-chain', labels: { a: 'b' } },
    };
    expect((await put(labelled)).changed).toBe(true);
  });

  it('hold what text can hold', async () => {
    const body = {
      ...given.environment(),
      metadata: { name: 'odd', labels: { nul: 'a\u0000b', half: '\ud83d' } },
    };
    expect((await put(body)).document.document.metadata.labels).toEqual(body.metadata.labels);
  });

  it('are listed page by page, each once, though the pages end at a size', async () => {
    for (let at = 0; at < 7; at += 1) {
      const labels = { long: 'x'.repeat(120_000) };
      await put({ ...given.environment(), metadata: { name: `large-${at}`, labels } });
    }
    const names: string[] = [];
    let cursor: string | undefined;
    for (let page = 0; page < 20; page += 1) {
      const reply = await scene.gateway.ask('list-documents', {
        kind: 'Environment',
        limit: 5,
        ...(cursor === undefined ? {} : { cursor }),
      });
      names.push(...reply.items.map(({ name }) => name));
      cursor = reply.nextCursor;
      if (cursor === undefined) break;
    }
    expect(names).toEqual([...new Set(names)].toSorted());
    expect(names.filter((name) => name.startsWith('large-'))).toHaveLength(7);
  });

  it('tell the notifier the webhooks', async () => {
    const webhooks = [
      {
        url: 'http://127.0.0.1:9/',
        events: ['upgrade-succeeded'],
        secret: 'env:LIFTLOCK_SECRET_HOOK',
      },
    ];
    await put({ ...given.environment({ webhooks }), metadata: { name: 'hooked', labels: {} } });
    expect(await scene.notifier.ask('environment-webhooks', { environment: 'hooked' })).toEqual({
      webhooks,
    });
    expect(
      (await failureOf(scene.notifier.ask('environment-webhooks', { environment: 'none' }))).code,
    ).toBe('not_found');
  });

  it('tell the coordinator the freezes as they are written now', async () => {
    const coordinator = new QueryClient(scene.coordinator);
    const ask = () => coordinator.ask('environment-freezes', { environment: 'frozen' });
    const freezes = [
      {
        ...{ name: 'year-end', from: '2026-12-20T00:00[Europe/Berlin]' },
        ...{ to: '2027-01-07T00:00[Europe/Berlin]', reason: 'stocktaking' },
      },
    ];
    expect((await failureOf(ask())).code).toBe('not_found');
    await put({ ...given.environment(), metadata: { name: 'frozen', labels: {} } });
    expect(await ask()).toEqual({ freezes: [] });
    const policy = { freezes };
    await put({ ...given.environment({ policy }), metadata: { name: 'frozen', labels: {} } });
    expect(await ask()).toEqual({ freezes });
  });
});

describe('compute-plan', () => {
  it('is answered with a plan that can be read in pages, and again the same when asked again', async () => {
    await putAll();
    const upgrade = systemIds.next('upg');
    await scene.ask({ upgrade, request }, systemIds.next('msg'));
    const { result } = await scene.answerTo(upgrade);
    if (result.outcome !== 'planned') throw new Error(JSON.stringify(result));
    let text = '';
    for (let offset: number | undefined = 0; offset !== undefined;) {
      const page: QueryReply<'get-plan'> = await scene.gateway.ask('get-plan', {
        digest: result.digest,
        offset,
      });
      text += page.text;
      offset = page.nextOffset;
    }
    expect(digestOf(plan.parse(JSON.parse(text)))).toBe(result.digest);

    // meanwhile the world has changed: the answer has not
    observe = (question) => given.observed(question.target.name, [], []);
    await scene.ask({ upgrade, request }, systemIds.next('msg'));
    expect((await scene.answerTo(upgrade, 2)).result).toEqual(result);
    observe = atOneZero;
    expect((await scene.gateway.ask('preview-plan', { request })).digest).toBe(result.digest);
  });

  it('is refused with what is in the way', async () => {
    const upgrade = systemIds.next('upg');
    await scene.ask(
      { upgrade, request: { ...request, application: 'nothing', environment: 'nowhere' } },
      systemIds.next('msg'),
    );
    const { result } = await scene.answerTo(upgrade);
    expect(result).toMatchObject({
      outcome: 'refused',
      error: { code: 'not_found', retryable: false },
    });
    expect(result.outcome === 'refused' && result.error.issues?.length).toBe(2);
  });

  it('names every target that cannot be observed', async () => {
    const error = {
      code: 'target_unreachable' as const,
      message: 'no such socket',
      retryable: true,
    };
    observe = () => ({ ok: false, error });
    const upgrade = systemIds.next('upg');
    await scene.ask({ upgrade, request }, systemIds.next('msg'));
    const { result } = await scene.answerTo(upgrade);
    observe = atOneZero;
    if (result.outcome !== 'refused') throw new Error('it was planned');
    expect(result.error.code).toBe('unobservable');
    expect(result.error.message).toMatch(/host-a .*no such socket.*host-b .*no such socket/);
  });

  it('waits for an executor that is away for a while', async () => {
    await scene.executor.leave();
    const upgrade = systemIds.next('upg');
    await scene.ask({ upgrade, request }, systemIds.next('msg'));
    expect((await failureOf(scene.gateway.ask('preview-plan', { request }))).code).toBe(
      'unavailable',
    );
    expect(scene.answers.some((one) => one.upgrade === upgrade)).toBe(false);
    await scene.executor.come();
    expect((await scene.answerTo(upgrade)).result.outcome).toBe('planned');
  });

  it('asks again where a target was silent once', async () => {
    let silent = true;
    observe = (question) => {
      if (!silent) return atOneZero(question);
      silent = question.target.name !== 'host-b';
      const error = { code: 'timeout' as const, message: 'no answer', retryable: true };
      return { ok: false, error };
    };
    const upgrade = systemIds.next('upg');
    await scene.ask({ upgrade, request }, systemIds.next('msg'));
    const { result } = await scene.answerTo(upgrade);
    observe = atOneZero;
    expect([silent, result.outcome]).toEqual([false, 'planned']);
  });

  it('asks each target once, for its own containers, their kept names and all versions’ images', async () => {
    scene.executor.asked.length = 0;
    await scene.gateway.ask('preview-plan', { request });
    expect(scene.executor.asked.map(({ target }) => target.name).toSorted()).toEqual([
      'host-a',
      'host-b',
    ]);
    const hostA = scene.executor.asked.find(({ target }) => target.name === 'host-a');
    expect(hostA?.containers).toEqual([
      'shop-db',
      'shop-db-liftlock-old',
      'web',
      'web-liftlock-old',
    ]);
    expect(hostA?.images.map(({ reference }) => reference).slice(0, 2)).toEqual([
      'web:2.0',
      'db:2.0',
    ]);
    expect(hostA?.images.map(({ reference }) => reference)).toContain('web:1.0');
  });
});
