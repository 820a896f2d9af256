import { expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { contextOf } from '../../../../test/support/step-context.js';
import type { ContainerInfo, Engine } from './engine.js';
import { engineError } from './errors.js';
import { LABELS } from './labels.js';
import { giveBack, neverRestart } from './restart-policy.js';

const container = {
  ...{ Id: 'a1'.repeat(32), Name: '/one' },
  ...{ HostConfig: { RestartPolicy: { Name: 'always', MaximumRetryCount: 0 } } },
} as ContainerInfo;

/** No real engine can be brought to say these at will: it answers to each update with the next of `answers`, or does it. */
class SayingEngine {
  updates = 0;
  readonly name = 'one';
  readonly endpoint = 'unix:///nowhere';

  constructor(
    private readonly answers: ReadonlyArray<{
      readonly statusCode: number;
      readonly message: string;
    }>,
    private readonly status: string | undefined,
  ) {}

  async call(what: string): Promise<unknown> {
    if (what !== 'changing the restart policy') return { Volumes: [] };
    const answer = this.answers[this.updates];
    this.updates += 1;
    if (answer !== undefined) throw engineError(this, what, answer);
    return undefined;
  }

  async inspect(): Promise<ContainerInfo | undefined> {
    if (this.status === undefined) return undefined;
    return { ...container, State: { Status: this.status } } as ContainerInfo;
  }
}

const outcome = (act: Promise<unknown>): Promise<string> =>
  act.then(
    () => 'done',
    (error: unknown) => LiftlockError.from(error).message,
  );
const never = (engine: SayingEngine): Promise<string> =>
  outcome(neverRestart(engine as unknown as Engine, contextOf('unix:///nowhere'), container));
/** The policy that it had before is another one. */
const giveIn = (engine: SayingEngine): Promise<string> => {
  const before = { [LABELS.restartPolicy]: '{"Name":"unless-stopped"}' };
  const successor = { Config: { Labels: before } } as unknown as ContainerInfo;
  return outcome(
    giveBack(engine as unknown as Engine, contextOf('unix:///nowhere'), container, [successor]),
  );
};

it.each([
  [404, 'container is not running'],
  [500, 'Cannot update container a1: container is not running: not found'],
  [500, 'Cannot update container a1: no running task found: task a1 not found: not found'],
  [500, 'Cannot update container a1: process does not exist: not found'],
  [500, 'Cannot update container a1: cannot update a deleted container: unknown'],
  [500, 'words that no engine has said so far'],
])(
  'a container that ends under a change of its policy is asked again: %i %s',
  async (statusCode, message) => {
    for (const status of ['exited', 'restarting', 'running']) {
      const refusals = [
        { statusCode, message },
        { statusCode, message },
      ];
      const engine = new SayingEngine(refusals, status);
      expect(await never(engine)).toBe('done');
      expect(engine.updates).toBe(3);
    }
  },
);

const MARKED = {
  statusCode: 500,
  message: 'Cannot update container a1: container is marked for removal and cannot be "update"',
};

it.each(['removing', 'dead', undefined])(
  'a new container that is %s never starts again: the engine need not say so; an old one is not given its policy back',
  async (status) => {
    const engine = new SayingEngine([MARKED, MARKED], status);
    expect(await never(engine)).toBe('done');
    expect(engine.updates).toBe(1);
    expect(await giveIn(engine)).toMatch(/marked for removal/);
  },
);

it('a policy that the engine does not take is not asked for again', async () => {
  const engine = new SayingEngine(
    [{ statusCode: 409, message: 'AutoRemove is enabled' }],
    'running',
  );
  expect(await never(engine)).toMatch(/AutoRemove/);
  expect(engine.updates).toBe(1);
});
