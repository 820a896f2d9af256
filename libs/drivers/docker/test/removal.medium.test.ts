import { createServer } from 'node:http';
import { join } from 'node:path';
import type Docker from 'dockerode';
import { afterAll, afterEach, beforeAll, expect, test } from 'vitest';
import { SecretStore } from '#drivers/core';
import { newFolder } from '../../../../test/support/data-tree.js';
import { cleanUp, openEngine } from '../../../../test/support/engine-client.js';
import { serviceImage } from '../../../../test/support/service-image.js';
import { contextOf } from '../../../../test/support/step-context.js';
import { Engine } from '../src/engine.js';
import { removeContainer } from '../src/new-containers.js';
import { removeFromEngine } from '../src/remove-container.js';

const PREFIX = 'dkremoval';
let docker: Docker;
let endpoint: string;
let image: string;

beforeAll(async () => {
  ({ docker, endpoint } = await openEngine());
  image = await serviceImage(docker, 'liftlock-test-removal:1.0', '1.0');
});
afterEach(() => cleanUp(docker, PREFIX));
afterAll(() => docker.getImage(image).remove({ force: true }));

const ALL_AT_ONCE = 8;

test('a removal that somebody else has begun is as good as one’s own', async () => {
  const engine = new Engine({ name: 'one', endpoint }, new SecretStore());
  const context = contextOf(endpoint);
  try {
    for (let round = 0; round < 3; round += 1) {
      const { id } = await docker.createContainer({ name: `${PREFIX}-ended`, Image: image });
      const found = await engine.inspect(id);
      if (found === undefined) throw new Error('it was not made');
      await Promise.all(
        Array.from({ length: ALL_AT_ONCE }, () => removeContainer(engine, context, found)),
      );
      expect(await engine.inspect(id)).toBeUndefined();
    }
  } finally {
    engine.close();
  }
});

test('one that runs is removed where that is meant, by however many, and stays where it is not', async () => {
  const engine = new Engine({ name: 'one', endpoint }, new SecretStore());
  try {
    const made = await docker.createContainer({ name: `${PREFIX}-runs`, Image: image });
    await made.start();
    const removal = { id: made.id, what: 'removing it', volumes: true };
    await expect(removeFromEngine(engine, removal)).rejects.toMatchObject({
      code: 'target_refused',
      retryable: false,
    });
    await Promise.all(
      Array.from({ length: ALL_AT_ONCE }, () =>
        removeFromEngine(engine, { ...removal, force: true }),
      ),
    );
    expect(await engine.inspect(made.id)).toBeUndefined();
  } finally {
    engine.close();
  }
});

/** An engine that gives these answers to removals, the last one again and again. */
async function answering(
  answers: ReadonlyArray<readonly [number, string]>,
): Promise<{ engine: Engine; asked: () => number; close: () => void }> {
  const socket = join(newFolder(), 'docker.sock');
  let asked = 0;
  const server = createServer((request, response) => {
    if (request.url?.endsWith('/_ping')) {
      response.setHeader('api-version', '1.41').end();
      return;
    }
    const [status, message] = answers[Math.min(asked, answers.length - 1)] ?? [500, ''];
    asked += 1;
    response.writeHead(status, { 'content-type': 'application/json' });
    response.end(status === 204 ? undefined : JSON.stringify({ message }));
  });
  await new Promise<void>((listening) => server.listen(socket, listening));
  const engine = new Engine({ name: 'one', endpoint: `unix://${socket}` }, new SecretStore());
  return {
    engine,
    asked: () => asked,
    close: () => {
      engine.close();
      server.close();
    },
  };
}

const ENDING = 'Could not kill running container abc, cannot remove - Container abc is not running';
const UNDER_WAY = 'removal of container abc is already in progress';

// a real engine says these for some milliseconds only
test('one that ends at the moment of its removal is removed all the same', async () => {
  const { engine, asked, close } = await answering([
    [500, ENDING],
    [409, UNDER_WAY],
    [404, 'No such container: abc'],
  ]);
  await removeFromEngine(engine, { id: 'abc', what: 'removing it', force: true, volumes: true });
  expect(asked()).toBe(3);
  close();
});

test('a removal that does not end is waited for no longer than the attempt lasts', async () => {
  const { engine, close } = await answering([[409, UNDER_WAY]]);
  const abort = new AbortController();
  let guarded = 0;
  const removing = removeFromEngine(engine, {
    ...{ id: 'abc', what: 'removing it', volumes: true, signal: abort.signal },
    guard: async () => {
      guarded += 1;
      if (guarded === 3) abort.abort(new Error('enough'));
    },
  });
  await expect(removing).rejects.toMatchObject({ code: 'timeout' });
  expect(guarded).toBe(3);
  close();
});
