import { expect, test } from 'vitest';
import { commandWork, hooks, httpWork, jobWork } from './hooks.js';

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
