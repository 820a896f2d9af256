import { setTimeout as delay } from 'node:timers/promises';
import { templateId, type ActionInput, type ActionOutput, type Check } from '#contracts';
import { failure, httpLook, seen, tcpLook, type Look, type StepContext } from '#drivers/core';
import { LiftlockError } from '#kernel';
import { CheckLoop, type Checked } from './check-loop.js';
import type { Cluster } from './cluster.js';
import { holderTitle, plannedService, serviceAt, serviceTitle } from './service-place.js';
import { stateOf } from './service-state.js';

type Input = ActionInput<'instance.check'>;

/** Waits until k0rdent has deployed the template, and then looks at what the check is about. It fails at once where k0rdent gives up. */
export async function checkService(
  cluster: Cluster,
  context: StepContext,
  input: Input,
): Promise<ActionOutput<'instance.check'>> {
  const place = serviceAt(input.container);
  const look = lookOf(input.check);
  const title = `${serviceTitle(place)} of ${holderTitle(place)}`;
  const checked: Checked = {
    title,
    async look(runs, signal) {
      const { holder, entry } = await plannedService(cluster, input, signal);
      if (input.imageId !== undefined && templateId(entry.template) !== input.imageId)
        return seen(false, `its template is ${entry.template}`);
      const state = await stateOf(cluster, place, holder, entry.template, signal);
      if (state.failure !== undefined)
        throw failure(`${title} on ${cluster.name} is not deployed: ${state.failure}`, {
          container: input.container,
        });
      if (!state.isDeployed) return seen(false, state.detail);
      runs(entry.template);
      return look === undefined ? seen(true, state.detail) : look(undefined, signal);
    },
    lastWords: async () => ({ why: '', log: [] }),
    pause: (atMostMs, signal) => delay(atMostMs, undefined, { signal }),
  };
  return new CheckLoop(cluster, context, input, checked).untilPassed();
}

/** Of what is asked besides. */
function lookOf(check: Check): Look<unknown> | undefined {
  switch (check.type) {
    case 'health':
      return undefined;
    case 'http':
      return httpLook(check);
    case 'tcp':
      return tcpLook(check);
    default:
      throw new LiftlockError(
        'invalid_step',
        `a ${check.type} check is of pods, which k0rdent has in other clusters: let it be health, http or tcp`,
      );
  }
}
