import { expect } from 'vitest';
import { waitFor } from '#kernel';
import { modelImageId } from '#drivers/model';
import { COMPONENTS, NEW_IMAGE, OLD_IMAGE, type ModelRun } from '../support/model-fleet.js';

const FORWARD = ['stopped', 'snapshot', 'kept-old', 'started-new'];
const BACK = ['stopped-new', 'restored', 'put-back-old', 'started-old', 'removed-new'];

/** Ledger, database and event stream agree: no effect lost, none twice. */
export async function expectAgreement(
  run: ModelRun,
  upgrade: string,
  end: 'succeeded' | 'rolled_back',
): Promise<void> {
  const { api } = run.fleet;
  const view = await api.get(upgrade);
  expect(view.state, view.message).toBe(end);
  expect(await run.violations()).toEqual([]);

  // the ledger: what truly happened, in order; a snapshot that was taken anew is no second effect
  for (const container of COMPONENTS) {
    const effects = (await run.effectsOf(container)).filter(
      (effect, index, all) => effect !== 'snapshot' || all[index - 1] !== 'snapshot',
    );
    expect(effects, container).toEqual(
      end === 'succeeded' ? [...FORWARD, 'removed-old'] : [...FORWARD, ...BACK],
    );
  }
  const world = await run.readWorld();
  if (end === 'rolled_back') {
    // each depends on the one before: dependents go down first, and come up last
    const order = (wanted: string): string[] =>
      world.ledger
        .filter((line) => 'effect' in line && line.effect === wanted)
        .map(({ container }) => container);
    expect(order('stopped-new')).toEqual([...COMPONENTS].toReversed());
    expect(order('started-old')).toEqual([...COMPONENTS]);
  }
  const image = modelImageId(end === 'succeeded' ? NEW_IMAGE : OLD_IMAGE);
  expect(Object.keys(world.containers).toSorted()).toEqual([...COMPONENTS]);
  for (const container of COMPONENTS) {
    expect(world.containers[container]).toMatchObject({ imageId: image, running: true });
    const history = world.volumes[`${container}-data`]?.files['/data/history']?.content
      .trim()
      .split('\n');
    expect(history).toHaveLength(end === 'succeeded' ? 2 : 1);
  }

  // the database: a history without a gap, whose last line is the end; every step that succeeded did so once
  const history = await api.history(upgrade);
  expect(history.map((event) => event.sequence)).toEqual(history.map((_, index) => index + 1));
  expect(history.at(-1)?.type).toBe(`upgrade-${end.replaceAll('_', '-')}`);
  const succeeded = history
    .filter((event) => event.type === 'step-succeeded')
    .map((event) => event.data.step);
  expect(succeeded).toEqual([...new Set(succeeded)]);

  // the stream: the same events, each once
  const streamed = await waitFor(
    async () => {
      const ids = await run.fleet.streamed(upgrade);
      return ids.length >= history.length ? ids : undefined;
    },
    {
      what: `${history.length} events of ${upgrade} in the stream`,
      deadlineMs: 60_000,
      everyMs: 250,
    },
  );
  expect(new Set(streamed)).toEqual(
    new Set(history.map((event) => `${upgrade}:${event.sequence}`)),
  );
}
