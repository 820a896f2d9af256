import { LiftlockError } from '#kernel';
import type { HookDriver } from '#drivers/core';

/** An engine has no objects: no plan of today asks for them, and one of another Liftlock fails before anything is touched. */
const refuse = (): Promise<never> =>
  Promise.reject(
    new LiftlockError(
      'invalid_step',
      'objects of a cluster are of Kubernetes: a Docker Engine has none; plan again',
    ),
  );

export const NO_OBJECTS: Pick<HookDriver, 'object' | 'objectBack' | 'forgetObjects'> = {
  object: refuse,
  objectBack: refuse,
  forgetObjects: refuse,
};
