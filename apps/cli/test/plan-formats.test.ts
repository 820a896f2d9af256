import { spawnSync } from 'node:child_process';
import { describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { digestOf } from '#kernel';
import { ACTIONS, plan as planSchema, type ActionName, type Plan, type Step } from '#contracts';
import { NO_COLOURS } from '../src/show/colours.js';
import { PLAN_FORMATS, showPlan } from '../src/show/plan-formats.js';
import { commandsOf } from '../src/show/step-commands.js';

const target = {
  name: 'host-a',
  driver: 'docker',
  site: 'main',
  endpoint: 'unix:///a b.sock',
} as const;
const image = { reference: "web:2.0'; rm -rf /", id: `sha256:${'a'.repeat(64)}` };
const named = { container: 'web', containerId: 'c1' };
const kept = { ...named, keptName: 'web-liftlock-old' };
const data = { ...kept, paths: ['/data'], backup: 'h1-web@host-a' };

function step(id: string, action: ActionName, input: object): Step {
  const { app, phase, undo, timeoutSeconds, retry, observable } = ACTIONS[action];
  return {
    ...{ id, title: `${action} of <web>`, action, target, component: 'web', input: { ...input } },
    ...{ app, phase, undo, timeoutSeconds, retry, observable, repeatable: false },
  } as Step;
}

const lane = 'h1/w1/web@host-a';
const back = (name: string, action: ActionName, input: object, after: string[]) => ({
  ...step(`h1/back/${name}`, action, input),
  ...{ lanes: [lane], when: [`${lane}/3`], after, destinationOnly: false },
});

function hook(name: string, type: 'http' | 'command'): Step {
  const works = {
    http: { work: { type, method: 'POST', url: `http://ops.example.com/"${name}"`, headers: {} } },
    command: { container: 'web', work: { type, command: ['shopctl', name], env: {} } },
  };
  const made = step(`application/${name}`, `hook.${type}`, works[type]);
  const { component, ...ofNone } = made;
  return type === 'command' ? { ...ofNone, component } : ofNone;
}

const plan: Plan = planSchema.parse({
  apiVersion: 'liftlock.dev/v1',
  kind: 'Plan',
  environment: 'prod',
  application: 'shop',
  release: 'shop-2.0',
  from: '1.0',
  to: '2.0',
  policy: {
    ...{ scope: 'upgrade', maxFailures: 0, rollbackTo: 'origin', approval: 'none' },
    ...{ bakeSeconds: 0, bakeCheckEverySeconds: 5 },
  },
  documents: [],
  targets: [target],
  observed: [],
  changes: [
    {
      instance: 'web@host-a',
      component: 'web',
      target: 'host-a',
      from: '1.0',
      to: '2.0',
      updated: true,
    },
    {
      instance: 'web@host-b',
      component: 'web',
      target: 'host-b',
      from: '1.0',
      to: '2.0',
      updated: true,
    },
    {
      instance: 'db@host-a',
      component: 'db',
      target: 'host-a',
      from: '2.0',
      to: '2.0',
      updated: false,
    },
  ],
  warnings: ['web has no checks'],
  prepare: [step('prepare/1', 'image.prepare', { image })],
  hops: [
    {
      id: 'h1',
      from: '1.0',
      to: '2.0',
      waves: [
        {
          id: 'h1/w1',
          parallelism: 1,
          lanes: [
            {
              ...{ id: lane, instance: 'web@host-a', component: 'web', target: 'host-a' },
              ...{ from: '1.0', to: '2.0' },
              steps: [
                step(`${lane}/1`, 'instance.stop', named),
                step(`${lane}/2`, 'data.snapshot', { ...data, consistency: 'stopped' }),
                step(`${lane}/3`, 'instance.replace', { ...kept, image, env: { MODE: "a'b" } }),
                step(`${lane}/4`, 'instance.check', {
                  container: 'web',
                  check: { type: 'running' },
                }),
              ],
            },
          ],
        },
      ],
      compensation: [
        back('3-old', 'instance.restore-old', { ...kept, start: true }, ['h1/back/2-data']),
        back('2-data', 'data.restore', data, ['h1/back/1-stop']),
        back('1-stop', 'instance.stop-new', kept, []),
      ],
    },
  ],
  brackets: [],
  bakeChecks: [],
  finalize: [step('finalize/1', 'instance.remove-old', kept)],
});

/** The same, with hooks of the whole application. */
const hooked: Plan = planSchema.parse({
  ...plan,
  applicationHooks: {
    before: [hook('before-page', 'http'), hook('before-drain', 'command')],
    after: [hook('after-publish', 'http')],
    undoAfter: [{ ...hook('undo-after-publish', 'http'), when: ['application/after-publish'] }],
    onceBack: [
      { ...hook('undo-before-page', 'http'), when: ['application/before-page'] },
      hook('on-rollback-tell', 'http'),
    ],
  },
});

const shown = (format: Exclude<(typeof PLAN_FORMATS)[number], 'json'>): string =>
  showPlan(plan, format, NO_COLOURS);

describe('a plan, shown', () => {
  it('groups instances by component, and says what is down, what stays, what warns, and its digest', () => {
    expect(shown('text').split('\n\n')[0]).toBe(
      [
        'prod/shop  1.0 --> 2.0',
        '  web: 1.0 --> 2.0  host-a, host-b',
        '  db: 2.0 --> 2.0 (not updated)  host-a',
        'hop 1 of 1  1.0 --> 2.0',
        '  wave 1 of 1  down: web@host-a',
        '! web has no checks',
        `plan ${digestOf(plan)}`,
      ].join('\n'),
    );
  });

  it('as YAML is the plan, to the byte of its digest', () => {
    expect(digestOf(parse(shown('yaml')))).toBe(digestOf(plan));
  });

  it.each(['markdown', 'dot', 'svg', 'runbook'] as const)(
    'as %s is as it was reviewed',
    async (format) => {
      await expect(shown(format)).toMatchFileSnapshot(`plan.golden.${format}.txt`);
    },
  );

  it('has what is done once for the whole application where its turn is, and its way back', () => {
    const order = (text: string, ...parts: string[]): void => {
      const at = parts.map((part) => text.indexOf(part));
      expect(at, text).toEqual(at.toSorted((a, b) => a - b));
      expect(at, text).not.toContain(-1);
    };
    const forward = ['before-page', 'before-drain', 'instance.replace', 'after-publish'];
    const undone = ['undo-after-publish', 'instance.stop-new', 'undo-before-page'];
    const all = showPlan(hooked, 'runbook', NO_COLOURS);
    order(all, ...forward.slice(0, 2), 'Hop 1', 'after-publish', ...undone, 'on-rollback-tell');
    order(
      showPlan(hooked, 'dot', NO_COLOURS),
      ...['start -> "application/before-page"', '"application/before-drain" [style=rounded'],
      ...[`"application/before-drain" -> "${lane}"`, `"${lane}" -> "application/after-publish"`],
      '"application/after-publish" -> end',
    );
    order(
      showPlan(hooked, 'svg', NO_COLOURS),
      ...['before the first wave', 'before-page', 'before-drain', 'hook.command in web@host-a'],
      ...['wave 1 of 1', 'after the last wave', 'after-publish'],
    );
  });

  it('says that it only goes forward behind a hook of the application that cannot be undone', () => {
    const { applicationHooks } = hooked;
    if (applicationHooks === undefined) throw new Error('the plan has no hooks');
    const seal: Step = { ...hook('after-seal', 'http'), undo: 'irreversible' };
    const sealed = { ...hooked, applicationHooks: { ...applicationHooks, after: [seal] } };
    expect(shown('text')).not.toContain('point of no return');
    expect(showPlan(sealed, 'text', NO_COLOURS)).toContain(`! point of no return: ${seal.title}`);
  });

  it('names what is left out, in every format', () => {
    const out = { instance: 'web@host-c', component: 'web', target: 'host-c', leftOut: true };
    const changes = [...plan.changes, { ...out, from: '1.0', to: '1.0', updated: false }];
    const partial = planSchema.parse({ ...plan, changes });
    const inFormat = (format: Parameters<typeof showPlan>[1]): string =>
      showPlan(partial, format, NO_COLOURS);
    expect(inFormat('text')).toContain('  web: 1.0 --> 1.0 (left out)  host-c');
    expect(inFormat('markdown')).toContain('(left out) | host-c |');
    expect(inFormat('runbook')).toContain('Left out, stays as it is: web@host-c.');
    expect(inFormat('dot')).toContain('"left out web@host-c" [style=dashed');
    expect(inFormat('svg')).toMatch(/>left out<[^]*>web@host-c</);
    expect(inFormat('yaml')).toContain('leftOut: true');
    for (const format of ['text', 'markdown', 'dot', 'svg', 'runbook'] as const)
      expect(shown(format)).not.toContain('left out');
  });

  it('as a picture holds no markup of its own', () => {
    expect(shown('svg')).toMatch(/^<svg [^]*<\/svg>\n$/);
    expect(shown('markdown')).toContain('instance.stop of \\<web\\>');
  });

  it('as a runbook pauses and freezes around a snapshot, and lets go on whatever became of it', () => {
    const work = (...command: string[]) => ({ type: 'command', command });
    const commands = commandsOf(
      step('h1/w1/web@host-a/1', 'data.snapshot', {
        ...data,
        consistency: 'paused',
        hooks: { before: work('freeze'), after: work('thaw') },
      }),
    ).map((line) => /exec .*(freeze|thaw)|(?:un)?pause|run/.exec(line)?.slice(0, 2));
    expect(commands.map((found) => found?.[1] ?? found?.[0])).toEqual([
      ...['freeze', 'pause', 'run', 'unpause', 'thaw'],
    ]);
  });

  it('as a runbook goes back in the order of the compensation, and every command is one for a shell', () => {
    const runbook = shown('runbook');
    const at = ['stop-new', 'data.restore', 'restore-old'].map((name) => runbook.indexOf(name));
    expect(at).toEqual(at.toSorted((a, b) => a - b));
    const scripts = [...runbook.matchAll(/```sh\n([^]*?)```/g)].map(([, script = '']) => script);
    expect(scripts).toHaveLength(9);
    for (const script of scripts) {
      const { status, stderr } = spawnSync('bash', ['-n'], { input: script, encoding: 'utf8' });
      expect([script, status, stderr]).toEqual([script, 0, '']);
    }
    expect(runbook).not.toContain("web:2.0'; rm -rf /");
  });
});
