import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';
import type Docker from 'dockerode';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, test } from 'vitest';
import { check as checkSchema, type ActionOutput } from '#contracts';
import type { Driver } from '#drivers/core';
import { dockerDriver } from '#drivers/docker';
import { freePort } from '#fleet';
import { LiftlockError, waitFor } from '#kernel';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { failureOf } from '../../../../test/support/failure-of.js';
import { importImage, serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { WatchedEngine } from './watched-engine.js';

const PREFIX = 'dkchk';
const REFERENCE = 'liftlock-test-checks:1.0';
let docker: Docker;
let endpoint: string;
let driver: Driver;
let image: string;
let healthImage: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  driver = await dockerDriver();
  image = await serviceImage(docker, REFERENCE, '1.0');
  healthImage = await importImage(docker, 'liftlock-test-health:1.0', [
    'ENV PATH=/bin',
    'CMD ["/bin/sleep", "600"]',
    'HEALTHCHECK --interval=100ms --retries=2 CMD ["/bin/cat", "/tmp/healthy"]',
  ]);
});
afterEach(() => cleanUp(docker, PREFIX));
afterAll(async () => {
  await driver?.close();
  for (const id of [image, healthImage]) await docker.getImage(id).remove({ force: true });
});

interface Running {
  readonly name: string;
  readonly container: Docker.Container;
}

async function run(script: string, settings: object = {}): Promise<Running> {
  const name = `${PREFIX}-${Math.random().toString(36).slice(2, 10)}`;
  const container = await docker.createContainer({
    name,
    Image: image,
    Cmd: ['sh', '-c', script],
    StopTimeout: 1,
    ...settings,
  });
  await container.start();
  return { name, container };
}

type Asked = { readonly type: string } & Readonly<Record<string, unknown>>;
type Output = ActionOutput<'instance.check'>;

function check(
  name: string,
  asked: Asked,
  { at = endpoint, ...more }: { imageId?: string; at?: string } = {},
): Promise<Output> {
  const input = { deadlineSeconds: 60, intervalMs: 50, ...asked };
  return driver.checks.check(contextOf(at), {
    container: name,
    check: checkSchema.parse(input),
    ...more,
  });
}

/** How a check that cannot pass fails at its deadline: on a machine that stood still until then it saw nothing, and is given longer. */
async function missed(
  name: string,
  asked: Asked,
  more: { imageId?: string } = {},
): Promise<LiftlockError> {
  for (let deadlineSeconds = 1; ; deadlineSeconds *= 4) {
    const error = await failureOf(check(name, { ...asked, deadlineSeconds }, more));
    if (deadlineSeconds > 60 || !error.message.includes('no answer in time')) {
      expect(error.code, error.message).toBe('check_failed');
      expect(error.message).toContain(`did not pass within ${deadlineSeconds} s`);
      return error;
    }
  }
}

/** A check that first misses: what it waits for, which the container does when `/tmp/go` is there, comes after it has looked. */
async function afterAMiss({ name, container }: Running, asked: Asked): Promise<Output> {
  const watched = await WatchedEngine.before(endpoint);
  try {
    const checking = check(name, asked, { at: watched.endpoint });
    const gone = watched.untilLookedAgain(name).then(() => exec(container, 'touch', '/tmp/go'));
    const [output] = await Promise.all([checking, gone]);
    return output;
  } finally {
    watched.close();
  }
}
const WAIT_FOR_GO = 'until [ -e /tmp/go ]; do sleep 0.1; done';

const exec = async (container: Docker.Container, ...command: string[]): Promise<void> => {
  const made = await container.exec({ Cmd: command, AttachStdout: true });
  const stream = await made.start({});
  stream.resume();
  await waitFor(async () => (await made.inspect()).ExitCode === 0, {
    what: command.join(' '),
    deadlineMs: 60_000,
  });
};

describe('the log', () => {
  test('is looked at until all patterns are there, on either output', async () => {
    const running = await run(`echo one; ${WAIT_FOR_GO}; echo "two 42" >&2; sleep 600`);
    const asked = { type: 'log', patterns: ['^one$', 'two \\d+'] };
    const { detail, looks } = await afterAMiss(running, asked);
    expect(detail).toContain('two \\d+');
    expect(looks).toBeGreaterThan(1);
  });

  test('of an earlier start does not count', async () => {
    // what it says is seen at once: by then it must know that it is not to say it again
    const first = '[ -e /tmp/second ] || { touch /tmp/second; echo ready; }; exec sleep 600';
    const { name, container } = await run(first);
    await check(name, { type: 'log', patterns: ['ready'] });
    await container.restart({ t: 0 });
    const error = await missed(name, { type: 'log', patterns: ['ready'] });
    expect(error.message).toContain('not in the log yet: ready');
  });

  test('with a line that must not be there fails at once, and is quoted', async () => {
    const { name } = await run('echo starting; sleep 1; echo "FATAL: no licence"; sleep 600');
    const asked = { patterns: ['never'], failPatterns: ['FATAL'], deadlineSeconds: 3600 };
    const error = await failureOf(check(name, { type: 'log', ...asked }));
    expect(error.code).toBe('check_failed');
    expect(error.message).toContain('FATAL: no licence');
  });

  test('that has a terminal, or lines of JSON, is read all the same', async () => {
    const { name } = await run(`echo '{"a":1}'; sleep 600`, { Tty: true });
    const { detail } = await check(name, { type: 'log', patterns: ['^\\{"a":1\\}'] });
    expect(detail).toContain('found');
  });
});

describe('over the network', () => {
  let server: Server;
  let answers: Array<[number, string]>;
  /** When it last answered 503. */
  let missedAt: number;
  let url: string;
  beforeAll(async () => {
    server = createServer((_request, response) => {
      const [status, body] = (answers.length > 1 ? answers.shift() : answers[0]) ?? [500, ''];
      if (status === 503) missedAt = performance.now();
      response.writeHead(status).end(body);
    });
    await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/`;
  });
  afterAll(() => void server.close());

  test('http passes with its status and body, after answers that were not yet right', async () => {
    const { name } = await run('sleep 600');
    answers = [
      [503, ''],
      [200, 'version 1.0'],
      [200, 'version 2.0'],
    ];
    const { looks } = await check(name, { type: 'http', url, body: 'version 2' });
    expect(looks).toBe(3);
  });

  test('http that goes on being wrong fails with what was seen last', async () => {
    const { name } = await run('sleep 600');
    answers = [[500, 'broken']];
    const error = await missed(name, { type: 'http', url });
    expect(error.message).toMatch(/answered 500, not 200/);
    answers = [[200, 'version 1.0']];
    const body = await missed(name, { type: 'http', url, body: 'version 2' });
    expect(body.message).toContain('version 1.0');
  });

  test('http to where nobody listens, and to one who never answers, fails at the deadline', async () => {
    const { name } = await run('sleep 600');
    const nobody = `http://127.0.0.1:${await freePort()}/`;
    const refused = await missed(name, { type: 'http', url: nobody });
    expect(refused.message).toContain('ECONNREFUSED');
    const mute = createServer(() => undefined);
    await new Promise<void>((resolve) => void mute.listen(0, '127.0.0.1', resolve));
    const silent = `http://127.0.0.1:${(mute.address() as AddressInfo).port}/`;
    const late = await failureOf(check(name, { type: 'http', url: silent, deadlineSeconds: 1 }));
    expect(late.message).toContain('no answer in time');
    mute.closeAllConnections();
    mute.close();
  });

  test('http is asked once more at the deadline, and given time to answer', async () => {
    const { name } = await run('sleep 600');
    let asked = 0;
    let deadline = Infinity;
    const mended = createServer((_request, response) => {
      asked += 1;
      if (asked > 1) setTimeout(() => response.end('ok'), deadline - performance.now());
    });
    await new Promise<void>((resolve) => void mended.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(mended.address() as AddressInfo).port}/`;
    const attempt = async (): Promise<unknown> => {
      asked = 0;
      deadline = performance.now() + 1_000;
      const checking = check(name, { type: 'http', url, deadlineSeconds: 1 });
      const seen = await checking.then(
        ({ looks }) => looks,
        (error: unknown) => LiftlockError.from(error).message,
      );
      return [seen, asked];
    };
    // a look has two seconds, in which a machine may stand still: only what is missed again and again is not asked in time
    let found = await attempt();
    for (let again = 0; !isDeepStrictEqual(found, [2, 2]) && again < 4; again += 1)
      found = await attempt();
    expect(found).toEqual([2, 2]);
    mended.closeAllConnections();
    mended.close();
  });

  test('a real service behind a published port is seen, once it listens', async () => {
    const port = await freePort();
    const running = await run(`${WAIT_FOR_GO}; exec serve`, {
      ExposedPorts: { '8080/tcp': {} },
      HostConfig: {
        PortBindings: { '8080/tcp': [{ HostIp: '127.0.0.1', HostPort: String(port) }] },
      },
    });
    const url = `http://127.0.0.1:${port}/`;
    const { looks } = await afterAMiss(running, { type: 'http', url, body: '^1\\.0$' });
    expect(looks).toBeGreaterThan(1);
  });

  test('tcp passes when something listens, and names what does not', async () => {
    const { name } = await run('sleep 600');
    const { port } = server.address() as AddressInfo;
    await check(name, { type: 'tcp', host: '127.0.0.1', port });
    const free = await freePort();
    const error = await missed(name, { type: 'tcp', host: '127.0.0.1', port: free });
    expect(error.message).toContain(`127.0.0.1:${free}`);
  });

  test('it counts only after its stable time without a miss', async () => {
    const { name } = await run('sleep 600');
    // the misses take longer than the stable time: who counted from before them would pass right after the last one
    answers = [
      [200, ''],
      ...Array.from({ length: 15 }, () => [503, ''] as [number, string]),
      [200, ''],
    ];
    const { looks } = await check(name, { type: 'http', url, stableSeconds: 0.5 });
    expect(performance.now() - missedAt).toBeGreaterThanOrEqual(500);
    expect(looks).toBeGreaterThan(17);
    answers = Array.from({ length: 10_000 }, (_, i) => [i % 3 === 2 ? 503 : 200, '']);
    const error = await missed(name, { type: 'http', url, stableSeconds: 60 });
    expect(error.message).toMatch(/answered (503|200.* not yet for 60 s without a miss)/);
  });
});

describe('the container', () => {
  test('its own health check is waited for', async () => {
    const { name, container } = await run('', { Image: healthImage, Cmd: ['sleep', '600'] });
    const error = await missed(name, { type: 'health' });
    expect(error.message).toMatch(/unhealthy|starting/);
    await exec(container, 'touch', '/tmp/healthy');
    expect((await check(name, { type: 'health' })).detail).toContain('healthy');
  });

  test('without a health check of its own is said at once', async () => {
    const { name } = await run('sleep 600');
    const error = await failureOf(check(name, { type: 'health' }));
    expect(error.message).toContain('HEALTHCHECK');
  });

  test('a command that prints what failing looks like fails at once, in its own words, long before the deadline', async () => {
    const { name } = await run('sleep 600');
    const print = (text: string, stream = 1): object => ({
      type: 'command',
      command: ['sh', '-c', `printf '%s' '${text}' >&${stream}; exit 1`],
      failPatterns: ['upgrade failed$', '^Error'],
      deadlineSeconds: 600,
    });
    const said = print('starting\nsts[64]: Directory upgrade failed\nwaiting');
    const error = await failureOf(check(name, said as never));
    expect(error).toMatchObject({ code: 'check_failed', retryable: false });
    expect(error.message).toMatch(/says that it failed: sts\[64\]: Directory upgrade failed$/);
    const other = await failureOf(check(name, print('Error: no disk', 2) as never));
    expect(other.message).toContain('Error: no disk');
  });

  test('a command inside counts by its exit code and what it prints', async () => {
    const { name, container } = await run('sleep 600');
    const waits = check(name, { type: 'command', command: ['cat', '/tmp/now'], stdout: '^yes' });
    await exec(container, 'sh', '-c', 'echo yes > /tmp/now');
    await waits;
    await check(name, { type: 'command', command: ['sh', '-c', 'exit 7'], exitCode: 7 });
    const error = await missed(name, { type: 'command', command: ['ls', '/none'] });
    expect(error.message).toMatch(/ended with 1, not 0.*\/none/);
    const unknown = await missed(name, { type: 'command', command: ['no-such-program'] });
    expect(unknown.message).toContain('no-such-program');
  });

  test('that ends at once is named with its exit code and its last lines, long before the deadline', async () => {
    const { name } = await run('echo first; echo "no licence"; exit 3');
    // a look that comes before its end passes: once is not enough
    const asked = { type: 'running', deadlineSeconds: 3600, stableSeconds: 1800 };
    const error = await failureOf(check(name, asked));
    expect(error).toMatchObject({ code: 'container_exited' });
    expect(error.message).toMatch(new RegExp(`${name} ended with exit code 3.*no licence`));
    expect(error.details?.['log']).toEqual(['first', 'no licence']);
  });

  test('that restarts in a loop is named long before the deadline', async () => {
    const { name } = await run('echo "cannot open the database"; exit 1', {
      HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } },
    });
    const error = await failureOf(
      check(name, { type: 'http', url: 'http://127.0.0.1:1/', deadlineSeconds: 3600 }),
    );
    expect(error).toMatchObject({ code: 'container_exited' });
    expect(error.message).toMatch(/after \d+ restarts.*cannot open the database/);
  });

  test('that was started anew between two looks begins its stable time again', async () => {
    // by its restart policy: a look that comes too early finds it restarting, and not ended
    const restarts = { RestartPolicy: { Name: 'always' } };
    // any other signal is no wish of a person that it should stop
    const settings = { HostConfig: restarts, StopSignal: 'SIGTERM' };
    const { name, container } = await run('trap "exit 0" HUP; sleep 600 & wait', settings);
    const first = (await container.inspect()).State.StartedAt;
    const restart = async (): Promise<void> => {
      // the look that this is seen in takes longer than the stable time
      await delay(2500);
      await container.kill({ signal: 'HUP' });
      const isAnew = async (): Promise<boolean> => {
        const { Running, StartedAt } = (await container.inspect()).State;
        return Running && StartedAt !== first;
      };
      await waitFor(isAnew, { what: `${name} runs again`, deadlineMs: 60_000 });
    };
    let restarted: Promise<void> | undefined;
    const answer = createServer((_request, response) => {
      // it is away only while nobody looks
      restarted ??= restart();
      restarted.then(
        () => response.end('ok'),
        () => response.destroy(),
      );
    });
    await new Promise<void>((resolve) => void answer.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(answer.address() as AddressInfo).port}/`;
    await check(name, { type: 'http', url, stableSeconds: 2, intervalMs: 500 });
    const { StartedAt } = (await container.inspect()).State;
    expect(StartedAt).not.toBe(first);
    expect(Date.now() - Date.parse(StartedAt)).toBeGreaterThanOrEqual(2000);
    answer.closeAllConnections();
    answer.close();
  });

  test('that runs another image than was planned does not pass, however well it answers', async () => {
    const { name } = await run('sleep 600');
    const asked = { type: 'running', stableSeconds: 0 };
    await check(name, asked, { imageId: image });
    const error = await missed(name, asked, { imageId: healthImage });
    expect(error.message).toContain(`it runs the image ${image}, not ${healthImage}`);
    const gone = await missed(`${PREFIX}-none`, asked);
    expect(gone.message).toContain('there is no container');
  });

  test('is drift as soon as it is not the one that was planned', async () => {
    const { name, container } = await run('sleep 600');
    const planned = { container: name, containerId: container.id, imageId: image, running: true };
    const context = contextOf(endpoint);
    await driver.checks.assertUnchanged(context, planned);
    await container.stop({ t: 0 });
    const stopped = await failureOf(driver.checks.assertUnchanged(context, planned));
    expect(stopped).toMatchObject({ code: 'drift' });
    expect(stopped.message).toContain('running was true, is false');
    await container.remove();
    const gone = await failureOf(driver.checks.assertUnchanged(context, planned));
    expect(gone.message).toContain('it is gone');
  });

  test('a check that is called back ends with the reason, at once', async () => {
    const { name } = await run('sleep 600');
    const abort = new AbortController();
    const reason = new LiftlockError('revoked', 'the attempt was called back');
    const attempt = driver.checks.check(contextOf(endpoint, { signal: abort.signal }), {
      container: name,
      check: checkSchema.parse({ type: 'log', patterns: ['never'], deadlineSeconds: 3600 }),
    });
    abort.abort(reason);
    expect(await failureOf(attempt)).toBe(reason);
  });
});
