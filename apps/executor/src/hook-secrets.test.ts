import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { httpWork } from '#contracts';
import { TextSecrets, withHookSecrets } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { contextOf } from '../../../test/support/step-context.js';
import { callHook } from './hook-http.js';

const SECRET = 'hunter2-canary';
const LONGER = `${SECRET}-of-another`;
const LINES = 'first-line-of-it\nsecond "line" of it\nlast-line-of-it';
const secrets = new TextSecrets({
  variables: {
    LIFTLOCK_SECRET_A: SECRET,
    LIFTLOCK_SECRET_LONGER: LONGER,
    LIFTLOCK_SECRET_LINES: LINES,
  },
  folder: '/nowhere',
});
const received: Array<{ request: IncomingMessage; body: string }> = [];
let answer: (body: string) => { status: number; body: string; headers?: Record<string, string> };
let server: Server;
let base: string;

beforeAll(async () => {
  server = createServer((request, response) => {
    void text(request).then((body) => {
      received.push({ request, body });
      if (request.url === '/endless') {
        const more = (): void => {
          while (response.write('and so on, '.repeat(1_000)));
        };
        response.on('drain', more);
        more();
        return;
      }
      const { status, body: said, headers } = answer(body);
      response.writeHead(status, headers).end(said);
    });
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => void server.close());
beforeEach(() => {
  received.length = 0;
  answer = () => ({ status: 200, body: 'fine' });
});

const call = async (
  more: object = {},
  context = contextOf('unix:///none'),
  anew: { anew?: true } = {},
) => {
  const work = httpWork.parse({
    ...{ type: 'http', url: `${base}/hook`, body: 'the secret is ${LIFTLOCK_SECRET_A}' },
    headers: { authorization: 'Bearer ${LIFTLOCK_SECRET_A}' },
    ...more,
  });
  const result = await withHookSecrets(secrets, context, work, (inner, filled) =>
    callHook(inner, { ...anew, work: filled }),
  ).then(
    (output) => ({ output, error: undefined }),
    (thrown: unknown) => ({ output: undefined, error: LiftlockError.from(thrown) }),
  );
  return { ...result, lines: context.lines };
};

describe('an http hook', () => {
  it('is sent with its secrets, and with a key that is the same for each try and another in each upgrade', async () => {
    const context = contextOf('unix:///none');
    const { output } = await call({}, context);
    await call({}, context);
    await call();
    expect(output).toEqual({ found: 'done_now', status: 200, said: ['fine'] });
    expect(received[0]?.body).toBe(`the secret is ${SECRET}`);
    expect(received[0]?.request.headers.authorization).toBe(`Bearer ${SECRET}`);
    const keys = received.map(({ request }) => request.headers['idempotency-key']);
    expect(keys[0]).toBe(`${context.upgrade}/${context.stepId}`);
    expect(keys[1]).toBe(keys[0]);
    expect(keys[2]).not.toBe(keys[0]);
  });

  it('an answer that says a secret back does not bring it into log, result or error', async () => {
    answer = (body) => ({ status: 200, body });
    const well = await call();
    answer = (body) => ({ status: 500, body });
    const badly = await call();
    expect(badly.error?.code).toBe('hook_failed');
    expect(badly.error?.message).toContain(
      'answered 500, not 2xx: the secret is ${LIFTLOCK_SECRET_A}',
    );
    const told = JSON.stringify([well, badly.lines, badly.error?.toShape(), badly.error?.stack]);
    expect(told).not.toContain(SECRET);
    expect(badly.error?.cause).toBeUndefined();
  });

  const cut = (room: number) => `${'x'.repeat(room - 9)}${SECRET}`;
  it.each([
    ['was cut at the end of an answer', 200, '${LIFTLOCK_SECRET_A}', cut(2_000), 'hunter2-'],
    ['was cut at the end of an error', 500, '${LIFTLOCK_SECRET_A}', cut(500), 'hunter2-'],
    ['is told line by line', 200, '${LIFTLOCK_SECRET_LINES}', 'a\nlast-line-of-it', 'last-line'],
    [
      'is told as JSON',
      500,
      '${LIFTLOCK_SECRET_LINES}',
      JSON.stringify({ said: LINES }),
      'first-line',
    ],
    [
      'begins with another',
      200,
      '${LIFTLOCK_SECRET_A} ${LIFTLOCK_SECRET_LONGER}',
      LONGER,
      'of-another',
    ],
  ])('a secret that %s is not told either', async (_how, status, body, said, canary) => {
    answer = () => ({ status, body: said });
    const { output, error, lines } = await call({ body });
    const told = JSON.stringify([output, error?.toShape(), lines]);
    expect(told).not.toContain(canary);
    expect(told).toContain('${LIFTLOCK_SECRET_');
  });

  it('what comes anew after it was done has another key each time: who keeps keys would do it once for all', async () => {
    const context = contextOf('unix:///none');
    await call({}, context, { anew: true });
    await call({}, { ...context, attempt: 2 }, { anew: true });
    const [first, second] = received.map(({ request }) => request.headers['idempotency-key']);
    expect(first).toContain(context.stepId);
    expect(second).not.toBe(first);
  });

  it('a header of its own takes no second place beside ours', async () => {
    const context = contextOf('unix:///none');
    await call({ headers: { 'Idempotency-Key': 'mine', 'User-Agent': 'shop' } }, context);
    const { headers } = received[0]?.request ?? {};
    expect(headers?.['idempotency-key']).toBe(`${context.upgrade}/${context.stepId}`);
    expect(headers?.['user-agent']).toBe('shop');
  });

  it('an answer that has no end is read as far as it is kept', async () => {
    const { output } = await call({ url: `${base}/endless` });
    expect(output).toMatchObject({ found: 'done_now', status: 200 });
    expect(output?.said[0]).toHaveLength(2_000);
  });

  it('a redirect is an answer like any other, and no secret follows it', async () => {
    answer = () => ({ status: 302, body: '', headers: { location: `${base}/elsewhere` } });
    const { error } = await call();
    expect(error?.message).toContain('answered 302');
    expect(received).toHaveLength(1);
    expect((await call({ status: 302 })).output).toMatchObject({ status: 302 });
  });

  it('what cannot be called is named, and what it was to be given is not', async () => {
    const { error } = await call({ url: 'http://127.0.0.1:1/hook' });
    expect(error).toMatchObject({ code: 'hook_failed', retryable: true });
    expect(error?.message).toMatch(
      /POST http:\/\/127\.0\.0\.1:1\/hook cannot be called: .*(ECONNREFUSED|bad port)/,
    );
  });

  it('a secret that is unknown is named before anything is sent', async () => {
    const { error } = await call({ body: '${LIFTLOCK_SECRET_B}' });
    expect(error).toMatchObject({ code: 'misconfigured' });
    expect(error?.message).toContain('LIFTLOCK_SECRET_B');
    expect(received).toEqual([]);
  });
});
