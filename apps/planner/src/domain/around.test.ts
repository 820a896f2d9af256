import { describe, expect, it } from 'vitest';
import { applicationDocument } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';

const call = (path: string) => ({ type: 'http', url: `http://scaler.example.com/${path}` });

describe('what is held around an upgrade', () => {
  it('is one bracket around all lanes, whose calls may come again', () => {
    const { spec, ...rest } = given.application();
    const around = [{ name: 'autoscaling', acquire: call('off'), release: call('on') }];
    const application = applicationDocument.parse({ ...rest, spec: { ...spec, around } });
    const planned = computePlan(given.input({ application: given.stored(application) }));
    if ('refused' in planned) throw planned.refused;
    const { brackets, hops } = planned.ok;
    const lanes = hops.flatMap(({ waves }) => waves.flatMap((wave) => wave.lanes));
    expect(lanes.length).toBe(3);
    expect(brackets).toMatchObject([
      {
        ...{ id: 'around/autoscaling', lanes: lanes.map(({ id }) => id), duringRollback: true },
        acquire: { action: 'hook.http', repeatable: true, undo: 'inverse', input: { anew: true } },
        release: { input: { work: { url: 'http://scaler.example.com/on' }, anew: true } },
      },
    ]);
  });
});
