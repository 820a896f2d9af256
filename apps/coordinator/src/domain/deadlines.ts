import { inFlight, type Saga, type TimerMessage } from '#saga';

/**
 * Whether a timer is of use to the saga as it is at the end of a turn. What was told to have started and to have ended in one turn, as
 * every short step is, has no deadline any more.
 */
export function isAwaited(message: TimerMessage, { steps }: Saga): boolean {
  if (message.type !== 'deadline') return true;
  const progress = steps[message.stepId];
  return inFlight(progress) && progress?.token === message.token;
}
