import type { DataDriver, FileDriver, HookDriver } from '#drivers/core';
import { LiftlockError } from '#kernel';

const refuse = (what: string, wayOut: string) => (): Promise<never> =>
  Promise.reject(
    new LiftlockError(
      'invalid_step',
      `${what} of workloads of Kubernetes is not done yet: ${wayOut}; make a new plan`,
    ),
  );

const data = refuse('the data', 'take it out of the component, and back it up by other means');
const files = refuse(
  'the writing of files into containers',
  'use a hook of the type merge or secret',
);
const edits = refuse(
  'the editing of files',
  'use a hook of the type merge on the ConfigMap that holds it',
);

/** No plan of today asks for any of it; one of another Liftlock fails before anything is touched. */
export const NO_DATA: DataDriver = {
  ...{ usedBy: data, isAsLeft: data, list: data, space: data, origin: data },
  ...{ read: data, write: data, settle: data, archiver: data },
};
export const NO_FILES: FileDriver = { prepare: files, write: files, remove: files };
export const NO_EDITS: Pick<HookDriver, 'edit' | 'forgetEdits'> = {
  edit: edits,
  forgetEdits: edits,
};
