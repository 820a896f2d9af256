import type { Plan, Step, StepApp } from '#contracts';

/** For tests: a plan of two waves of one instance each, and what it waits for before it begins. */
const TARGET = { name: 'host', driver: 'model', site: 'main', endpoint: '/nowhere' } as const;

/** Clocks jump by days in these tests: no attempt's deadline is to strike. */
const WEEK = 7 * 24 * 3600;

function step(id: string, action: string, app: StepApp): Step {
  return {
    ...{ id, title: id, phase: 'execute', action, app, target: TARGET, input: {} },
    ...{ undo: 'none_needed', timeoutSeconds: WEEK, observable: true, repeatable: false },
    retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
  };
}

export function waitingPlan(environment: string, more: Partial<Plan> = {}): Plan {
  const waves = ['a', 'b'].map((component, index) => {
    const id = `h1/w${index + 1}`;
    const lane = `${id}/${component}`;
    return {
      id,
      parallelism: 1,
      lanes: [
        {
          ...{ id: lane, instance: `${component}@${environment}`, component, target: 'host' },
          ...{
            from: '1',
            to: '2',
            steps: [step(`${lane}/replace`, 'instance.replace', 'executor')],
          },
        },
      ],
    };
  });
  return {
    apiVersion: 'liftlock.dev/v1',
    kind: 'Plan',
    ...{ environment, application: 'shop', release: 'shop-2', from: '1', to: '2' },
    policy: {
      ...{ scope: 'upgrade', maxFailures: 0, rollbackTo: 'origin', approval: 'none' },
      ...{ bakeSeconds: 0, bakeCheckEverySeconds: 1 },
    },
    ...{ documents: [], targets: [TARGET], observed: [], changes: [], warnings: [], prepare: [] },
    hops: [{ id: 'h1', from: '1', to: '2', waves, compensation: [] }],
    ...{ brackets: [], bakeChecks: [], finalize: [] },
    ...more,
  };
}
