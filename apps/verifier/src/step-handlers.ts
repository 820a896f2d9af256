import type { Driver, DriverRegistry, StepContext } from '#drivers/core';
import type { StepHandlers } from '#steps';

/** What the verifier does: it looks, and changes nothing. */
export function verifierHandlers(drivers: DriverRegistry): StepHandlers<'verifier'> {
  const at = async (context: StepContext): Promise<Driver['checks']> =>
    (await drivers.get(context.target.driver)).checks;
  return {
    'instance.assert-unchanged': async (context, input) =>
      (await at(context)).assertUnchanged(context, input),
    'instance.check': async (context, input) => (await at(context)).check(context, input),
  };
}
