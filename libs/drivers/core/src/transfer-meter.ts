import { TransferReport } from '#kernel';
import type { StepContext, TransferState } from './step-context.js';

/**
 * Tells how far a transfer is: at once to those who watch, and every few seconds in the step's log.
 * @param what begins the lines of the log; default nothing
 */
export function transferMeter(
  context: Pick<StepContext, 'log' | 'transfer'>,
  part: TransferState['part'],
  what = '',
): (state: Omit<TransferState, 'part'>) => void {
  const report = new TransferReport((text) => context.log(`${what}${text}`));
  return (state) => {
    context.transfer({ part, ...state });
    report.at(state.doneBytes, state.totalBytes);
  };
}
