import { Readable } from 'node:stream';
import { expect, it } from 'vitest';
import type { ContainerInfo, Engine } from './engine.js';
import { wasOutOfMemory } from './out-of-memory.js';

const STARTED = Date.parse('2026-01-02T03:04:05.678Z');

function ended(State: object, Memory = 1024): ContainerInfo {
  const state = { OOMKilled: false, StartedAt: new Date(STARTED).toISOString(), ...State };
  return { Id: 'c0ffee', State: state, HostConfig: { Memory } } as unknown as ContainerInfo;
}

/** @param after looks before which it knows nothing */
function engineThat({ marks = false, tells = [] as object[], after = 1 }) {
  let looks = 0;
  const docker = {
    info: () => ({ SystemTime: new Date(STARTED + 1000).toISOString() }),
    getEvents: () =>
      Readable.from(looks <= after ? [] : tells.map((one) => `${JSON.stringify(one)}\n`)),
  };
  const engine = {
    inspect: async () => ended({ ExitCode: 137, OOMKilled: (looks += 1) > after && marks }),
    call: async (_what: string, _signal: unknown, run: (docker: unknown) => unknown) => run(docker),
  } as unknown as Pick<Engine, 'inspect' | 'call'>;
  return { engine, looks: () => looks };
}

const oom = (id: string, seconds = 0): object => ({
  ...{ Action: 'oom', Actor: { ID: id } },
  time: Math.floor(STARTED / 1000) + seconds,
});

it.each([
  ['marks the container later', { marks: true }],
  ['only tells of it in an event', { tells: [oom('c0ffee')] }],
])('is known though the end came first: an engine that %s', async (_which, answers) => {
  const { engine } = engineThat(answers);
  expect(await wasOutOfMemory(engine, ended({ ExitCode: 137 }), 60_000)).toBe(true);
});

it('is not what another container, or an earlier run, ended of', async () => {
  const { engine, looks } = engineThat({ tells: [oom('beef'), oom('c0ffee', -1)], after: 0 });
  expect(await wasOutOfMemory(engine, ended({ ExitCode: 137 }), 1)).toBe(false);
  expect(looks()).toBeGreaterThan(0);
});

it.each([
  ['what ended by itself', ended({ ExitCode: 1 })],
  ['what has no limit', ended({ ExitCode: 137 }, 0)],
])('is not asked for: %s', async (_which, container) => {
  const { engine, looks } = engineThat({ marks: true });
  expect(await wasOutOfMemory(engine, container)).toBe(false);
  expect(looks()).toBe(0);
});

it('an engine that is gone leaves it at the exit code', async () => {
  const engine = { inspect: () => Promise.reject(new Error('gone')) } as unknown as Engine;
  expect(await wasOutOfMemory(engine, ended({ ExitCode: 137 }), 100)).toBe(false);
});
