import type { FileDriver, HookDriver } from '#drivers/core';
import { LiftlockError } from '#kernel';

const refuse = (what: string, wayOut: string) => (): Promise<never> =>
  Promise.reject(
    new LiftlockError(
      'invalid_step',
      `${what} of workloads of Kubernetes is not done yet: ${wayOut}; make a new plan`,
    ),
  );

const files = refuse(
  'the writing of files into containers',
  'use a hook of the type merge or secret',
);
const edits = refuse(
  'the editing of files',
  'use a hook of the type merge on the ConfigMap that holds it',
);

/** No plan of today asks for any of it; one of another Liftlock fails before anything is touched. */
export const NO_FILES: FileDriver = { prepare: files, write: files, remove: files };
export const NO_EDITS: Pick<HookDriver, 'edit' | 'forgetEdits'> = {
  edit: edits,
  forgetEdits: edits,
};
