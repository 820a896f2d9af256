import type { Refusal } from './refusal.js';
import type { SagaMessage } from './messages.js';
import type { Turn } from './turn.js';

type Postponed = Extract<SagaMessage, { type: 'admission-postponed' }>;
type Closed = Extract<SagaMessage, { type: 'window-closed' }>;

/** It may not begin yet: told once for each moment that it waits for, and once where only the moment moves and the reason stays. */
export function postpone(turn: Turn, { until, message }: Postponed): void {
  const { saga } = turn;
  if (saga.waiting?.until === until) return;
  const told = saga.waiting?.message === message;
  saga.waiting = { until, message };
  if (!told) turn.emit('upgrade-waiting', { until, message });
}

/** Waves that have not begun wait from here on. */
export function close({ saga }: Turn, { until, message }: Closed): void {
  saga.closed = { until, message };
  if (saga.pausedBy === 'window') saga.waiting = { until, message };
}

/** What had to wait goes on; what a person has paused does not. */
export function open(turn: Turn): void {
  const { saga } = turn;
  delete saga.closed;
  if (saga.state !== 'paused' || saga.pausedBy !== 'window') return;
  goOn(turn);
}

/** @returns whether a wave that has not begun has to wait. */
export function holdsBack(turn: Turn): boolean {
  const { saga } = turn;
  if (saga.closed === undefined) return false;
  saga.pausedBy = 'window';
  saga.waiting = saga.closed;
  turn.moveTo('paused', { message: saga.closed.message });
  return true;
}

export function pauseByHand(turn: Turn, actor: string): Refusal | undefined {
  const { saga } = turn;
  // it would have gone on by itself: now it does not
  if (saga.state === 'paused' && saga.pausedBy === 'window') {
    delete saga.pausedBy;
    delete saga.waiting;
    return undefined;
  }
  if (saga.state !== 'running')
    return {
      code: 'conflict',
      message: `only a running upgrade can be paused; it is ${saga.state}`,
    };
  turn.moveTo('paused', { actor });
  return undefined;
}

export function goOn(turn: Turn, actor?: string): void {
  const { saga } = turn;
  delete saga.pausedBy;
  delete saga.waiting;
  turn.moveTo('running', actor === undefined ? {} : { actor });
}
