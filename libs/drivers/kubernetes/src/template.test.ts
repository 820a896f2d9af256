import { expect, test } from 'vitest';
import type { PodTemplate } from './objects.js';
import { changedTemplate, differences, runsNowhere, withNodes, withoutNodes } from './template.js';

const template = (main: object = {}, spec: object = {}): PodTemplate => ({
  metadata: { labels: { app: 'web' } },
  spec: {
    containers: [
      { name: 'main', image: 'web:1', ...main },
      { name: 'proxy', image: 'proxy:1' },
    ],
    ...spec,
  },
});
const changed = (before: object, change: object) =>
  changedTemplate(template(before), 'main', { image: 'web:2', env: {}, ...change }).spec
    .containers[0];

test('one container is changed, and nothing else', () => {
  const { metadata, spec } = changedTemplate(template({}, { dnsPolicy: 'Default' }), 'main', {
    ...{ image: 'web:2', env: {} },
  });
  expect({ metadata, spec }).toEqual({
    metadata: { labels: { app: 'web' } },
    spec: {
      containers: [
        { name: 'main', image: 'web:2' },
        { name: 'proxy', image: 'proxy:1' },
      ],
      dnsPolicy: 'Default',
    },
  });
});

test('variables stay in their order, since one may refer to those before it', () => {
  const env = [
    { name: 'A', value: '1' },
    { name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'C', value: '$(A)' },
  ];
  expect(changed({ env }, { env: { B: 'plain', A: null, D: '4', E: null } })?.env).toEqual([
    { name: 'B', value: 'plain' },
    { name: 'C', value: '$(A)' },
    { name: 'D', value: '4' },
  ]);
  expect(changed({ env: [{ name: 'A', value: '1' }] }, { env: { A: null } })).not.toHaveProperty(
    'env',
  );
});

test.each([
  ['none of its own', {}, { args: ['run'] }],
  ['arguments', { args: ['old'] }, { args: ['run'] }],
  ['a command', { command: ['/app', 'serve'], args: ['old'] }, { command: ['run'] }],
])('a command for a template with %s', (_what, before, expected) => {
  const { name: _name, image: _image, ...rest } = changed(before, { command: ['run'] }) ?? {};
  expect(rest).toEqual(expected);
});

test('differences are named, of what is ours to change', () => {
  const [one, other] = [
    template({ env: [{ name: 'A' }, { name: 'B', value: '1' }], resources: {} }),
    template({
      image: 'web:2',
      env: [
        { name: 'A', value: '' },
        { name: 'B', value: '2' },
      ],
      args: ['x'],
    }),
  ].map(({ spec }) => spec.containers[0]);
  if (one === undefined || other === undefined) throw new Error('no container');
  expect(differences(one, other)).toEqual(['image', 'env B', 'args']);
  expect(differences(one, { ...one, imagePullPolicy: 'Always' })).toEqual([]);
});

test.each([{}, { nodeSelector: { disk: 'ssd' } }])(
  'what runs nowhere is back as it was: %j',
  (spec) => {
    const before = template({}, spec);
    const nowhere = withoutNodes(before, 'upg_1');
    expect([runsNowhere(before), runsNowhere(nowhere)]).toEqual([false, true]);
    expect(withNodes(nowhere)).toEqual(before);
  },
);
