import { expect, it } from 'vitest';
import { newSaga, type Saga, type StepProgress } from '#saga';
import { isAwaited } from './deadlines.js';

const sagaWith = (status: StepProgress['status']): Saga => ({
  ...newSaga(),
  steps: {
    a: {
      ...{ status, direction: 'forward', token: 2, attempt: 1, failures: 0, lost: 0, began: false },
    },
  },
});
const deadline = (token: number) => ({ type: 'deadline', stepId: 'a', token }) as const;

it('a deadline is awaited of the attempt that is under way, and of no other', () => {
  for (const status of ['dispatched', 'revoking'] as const) {
    expect(isAwaited(deadline(2), sagaWith(status))).toBe(true);
    expect(isAwaited(deadline(1), sagaWith(status))).toBe(false);
  }
  for (const status of ['succeeded', 'waiting', 'failed', 'in_doubt'] as const)
    expect(isAwaited(deadline(2), sagaWith(status))).toBe(false);
  expect(isAwaited(deadline(2), newSaga())).toBe(false);
});

it('other timers are awaited whatever the steps do', () => {
  expect(isAwaited({ type: 'bake-over' }, newSaga())).toBe(true);
  expect(isAwaited({ type: 'retry-due', stepId: 'a', token: 2 }, sagaWith('waiting'))).toBe(true);
});
