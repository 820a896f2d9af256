import { isFinal, upgradeView, type ActionName } from '#contracts';
import { readHeld, writeControl, type ControlRule } from '#drivers/model';
import { waitFor } from '#kernel';
import type { ModelRun } from '../support/model-fleet.js';

export type Hold = ControlRule & { do: 'hold' };

/** Stops the action of a component, before or after its effect, until it is let go. */
export const hold = (action: ActionName, container: string, when: 'before' | 'after'): Hold => ({
  do: 'hold',
  action,
  container,
  when,
  deaf: false,
});

/**
 * Does something to the fleet while each of these steps is held, whichever comes first. `mishap` lets the step go, sooner or later.
 * @param always rules of the model world that hold to the end
 * @returns how many steps were held
 */
export async function atEachHeldStep(
  run: ModelRun,
  upgrade: string,
  holds: readonly Hold[],
  always: readonly ControlRule[],
  mishap: (letGo: () => Promise<void>) => Promise<void>,
): Promise<number> {
  let left = [...holds];
  for (let met = 0; ; met += 1) {
    if (left.length === 0) return met;
    const { held } = await waitFor(
      async () => {
        const held = (await readHeld(run.world)).find((one) =>
          left.some((other) => other.action === one.action && other.container === one.container),
        );
        if (held !== undefined) return { held };
        return (await hasEnded(run, upgrade)) ? { held } : undefined;
      },
      {
        what: `a held step of ${upgrade} after ${met}`,
        deadlineMs: 400_000,
        everyMs: 100,
      },
    );
    if (held === undefined) return met;
    await mishap(() => {
      left = left.filter(
        ({ action, container }) => action !== held.action || container !== held.container,
      );
      return writeControl(run.world, { rules: [...left, ...always] });
    });
  }
}

/** A gateway that is just being killed says nothing. */
async function hasEnded(run: ModelRun, upgrade: string): Promise<boolean> {
  const answer = await run.fleet.api
    .request('GET', `/v1/upgrades/${upgrade}`)
    .catch(() => undefined);
  return answer?.status === 200 && isFinal(upgradeView.parse(answer.body).state);
}
