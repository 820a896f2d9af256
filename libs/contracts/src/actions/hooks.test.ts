import { expect, test } from 'vitest';
import { commandWork } from './command-work.js';
import { editWork, hooks, httpWork, jobWork, upgradeHooks } from './hooks.js';
import { objectWork, objectWorkOf } from './object-works.js';

const SECRET = '${LIFTLOCK_SECRET_KEY}';
const job = { type: 'job' };
const command = { type: 'command', command: ['migrate'] };
const http = { type: 'http', url: 'https://example.test/' };

test.each([
  ['an argument', commandWork, { ...command, command: ['migrate', SECRET] }],
  ['the user of a command', commandWork, { ...command, user: SECRET }],
  ['the user of a job', jobWork, { ...job, user: SECRET }],
  ['the network of a job', jobWork, { ...job, network: `of-${SECRET}` }],
  ['the image of a job', jobWork, { ...job, image: `${SECRET}:1` }],
  [
    'the path of an edit',
    editWork,
    { type: 'edit', path: `/a/${SECRET}`, replace: [{ line: 'a', with: 'b' }] },
  ],
  ['a line', editWork, { type: 'edit', path: '/a', replace: [{ line: 'a', with: ['a', SECRET] }] }],
  ['a URL', httpWork, { ...http, url: `https://example.test/?key=${SECRET}` }],
])('a secret has no place where others see it: %s', (_where, work, given) => {
  const { error } = work.safeParse(given);
  expect(error?.issues.map(({ message }) => message)).toEqual([
    expect.stringContaining('must not name a secret'),
  ]);
});

test.each([
  ['the environment of a command', commandWork, { ...command, env: { KEY: SECRET } }],
  ['the environment of a job', jobWork, { ...job, env: { KEY: SECRET } }],
  ['a header', httpWork, { ...http, headers: { authorization: `Bearer ${SECRET}` } }],
  ['a body', httpWork, { ...http, body: SECRET }],
])('a secret may stand in %s', (_where, work, given) => {
  expect(work.safeParse(given).success).toBe(true);
});

const ping = { ...http, name: 'ping', method: 'GET', body: 'hello' };
test.each([
  ['a hook', { before: [{ ...ping, undo: 'none' }] }, ['before', 0, 'body']],
  [
    'an undo',
    { before: [{ ...command, name: 'one', undo: { ...http, method: 'HEAD', body: 'x' } }] },
    ['before', 0, 'undo', 'body'],
  ],
  ['a hook of the way back', { onRollback: [ping] }, ['onRollback', 0, 'body']],
])('a body that is never sent is refused in %s', (_where, given, path) => {
  const { error } = hooks.safeParse(given);
  expect(error?.issues).toMatchObject([{ path }]);
});

const edit = { type: 'edit', path: '/etc/web/settings.conf' };
const raise = { line: 'format=1', with: 'format=2' };
test.each([
  ['nothing to replace', {}, 'replace'],
  ['no edit', { replace: [] }, 'replace'],
  ['too many', { replace: Array(51).fill(raise) }, 'replace'],
  ['a relative path', { path: 'settings.conf', replace: [raise] }, 'path'],
  ['a path that is not plain', { path: '/etc/../web', replace: [raise] }, 'plain path of a file'],
  ['two lines as one', { replace: [{ line: 'a\nb', with: 'c' }] }, 'must be one line'],
  ['a line end of Windows', { replace: [{ line: 'a', with: 'b\r' }] }, 'must be one line'],
  ['no line', { replace: [{ line: 'a', with: [] }] }, 'with'],
  ['empty lines alone', { replace: [{ line: '', with: 'a' }] }, 'more than empty lines'],
  ['what changes nothing', { replace: [{ line: ['a'], with: 'a' }] }, 'changes nothing'],
  ['a number', { replace: [{ line: 1, with: 'a' }] }, 'must be a line, or a list of lines'],
  ['another hook as its undo', { replace: [raise], undo: command }, 'undo'],
  ['no way back', { replace: [raise], irreversible: true }, 'irreversible'],
  ['that it may not be repeated', { replace: [raise], repeatable: false }, 'repeatable'],
])('an edit with %s is refused', (_what, more, told) => {
  const { error } = hooks.safeParse({ before: [{ name: 'raise', ...edit, ...more }] });
  expect(JSON.stringify(error?.issues)).toContain(told);
});

test('an edit knows its own way back, and one of the whole application names its instance', () => {
  const raised = { name: 'raise', ...edit, replace: [{ line: 'a\tb', with: ['', 'a'] }] };
  const { before, onRollback } = hooks.parse({ before: [raised], onRollback: [raised] });
  expect(before).toMatchObject([{ undo: 'back', timeoutSeconds: 300, retries: 0 }]);
  expect(onRollback[0]).not.toHaveProperty('undo');
  const instance = { component: 'web' };
  expect(upgradeHooks.safeParse({ after: [{ ...raised, instance, undo: 'none' }] }).success).toBe(
    true,
  );
  expect(JSON.stringify(upgradeHooks.safeParse({ after: [raised] }).error?.issues)).toContain(
    'instance',
  );
});

const merge = { type: 'merge', object: 'ConfigMap/web', data: { KEY: 'value' } };
const patch = { type: 'patch', object: 'Cluster.example.com/web', patch: {} };
const drain = { type: 'drain', nodes: { names: ['node-1'] } };
test.each([
  ['a ConfigMap by another kind', { ...merge, object: 'Secret/web' }, 'ConfigMap/NAME'],
  ['a ConfigMap without a name', { ...merge, object: 'ConfigMap' }, 'ConfigMap/NAME'],
  ['no key', { ...merge, data: {} }, 'changes nothing'],
  ['what is no key', { ...merge, data: { 'a b': 'c' } }, 'is not a key'],
  ['a secret in a ConfigMap', { ...merge, data: { KEY: SECRET } }, 'belongs into a Secret'],
  ['a secret in a patch', { ...patch, patch: { spec: [SECRET] } }, 'must not name a secret'],
  [
    'a secret that is misspelt',
    { type: 'secret', object: 'Secret/web', data: { KEY: '${LIFTLOCK_SECRET key}' } },
    'not of the form',
  ],
  ['a kind as kubectl has it', { type: 'delete', object: 'service/web' }, 'KIND/NAME'],
  ['a relative path', { type: 'apply', path: 'web' }, 'Invalid string'],
  ['nothing to wait for', { ...patch, until: { phase: 'Ready' } }, 'must be a `condition`'],
  ['a path without braces', { ...patch, until: { jsonPath: '.a', equals: '1' } }, 'of the form'],
  ['no nodes', { ...drain, nodes: {} }, 'must be `names`, or a `selector`'],
  ['nodes twice', { ...drain, nodes: { names: ['a'], selector: { b: 'c' } } }, 'only one of them'],
  ['all nodes', { ...drain, nodes: { selector: {} } }, 'must name a label'],
])('object works that cannot be meant are refused: %s', (_what, given, message) => {
  const text = JSON.stringify(objectWork.safeParse(given).error?.issues);
  expect(text).toContain(message);
});

test('what is done to objects may be put back, left, taken back by a hook, or be final, and only one of these', () => {
  const parse = (more: object) => hooks.safeParse({ before: [{ ...merge, name: 'one', ...more }] });
  for (const more of [
    {},
    { undo: 'back' },
    { undo: 'none' },
    { undo: { ...merge, data: { KEY: null } } },
    { irreversible: true },
  ])
    expect(parse(more).success).toBe(true);
  expect(JSON.stringify(parse({ undo: 'later' }).error?.issues)).toContain(
    'must be back, none, or another hook',
  );
  expect(JSON.stringify(parse({ undo: 'back', irreversible: true }).error?.issues)).toContain(
    'must say how it is taken back',
  );
  expect(parse({ repeatable: true }).success).toBe(false);
});

test('while an instance is down no command runs in it, neither there nor to take something back', () => {
  const parse = (one: object) => hooks.safeParse({ stopped: [{ ...one, name: 'one' }] });
  expect(parse(merge).success).toBe(true);
  expect(parse({ ...job, undo: 'none' }).success).toBe(true);
  expect(parse({ ...http, undo: { ...command } }).success).toBe(false);
  expect(JSON.stringify(parse({ ...command, undo: 'none' }).error?.issues)).toContain('type');
  expect(hooks.parse({}).stopped).toBeUndefined();
});

test('of a hook what is done is taken, without when and how often', () => {
  const { before } = hooks.parse({
    before: [{ ...merge, name: 'one', undo: 'none', retries: 2, timeoutSeconds: 5 }],
  });
  const [one] = before;
  expect(one?.type === 'merge' && objectWorkOf(one)).toEqual(merge);
});
