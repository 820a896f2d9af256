import { expect, it } from 'vitest';
import { buildPlan } from './plan-builder.js';
import { Run } from './run.js';

const REPLACE = 'h0/w0/a/replace';

it('what a step has done well, and a person should know of all the same, is told in the history', () => {
  const run = new Run(buildPlan({ hops: [[{ parallelism: 1, lanes: [{ instance: 'a' }] }]] }));
  run.until(REPLACE);
  run.tell({
    type: 'step-finished',
    stepId: REPLACE,
    token: run.token(REPLACE),
    result: { outcome: 'succeeded', output: { warnings: ['it is fuzzy', 7] } },
  });
  const warnings = run.events.filter(({ type }) => type === 'upgrade-warning');
  expect(warnings.map(({ data }) => data)).toEqual([{ message: 'it is fuzzy', step: REPLACE }]);
  run.until();
  expect(run.events.filter(({ type }) => type === 'upgrade-warning')).toHaveLength(1);
});
