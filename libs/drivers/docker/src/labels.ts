import type { StepContext } from '#drivers/core';

/** All that the driver makes carries labels of this prefix: by them a later attempt, or a person, finds it again. */
export const LABEL_PREFIX = 'dev.liftlock.';

export const LABELS = {
  upgrade: `${LABEL_PREFIX}upgrade`,
  step: `${LABEL_PREFIX}step`,
  token: `${LABEL_PREFIX}token`,
  /** `instance`: the new container. `helper`: one that reads or writes data. `job`: a hook's. `mark`, `file`, `tag`, `edit`: a record (an empty volume). */
  role: `${LABEL_PREFIX}role`,
  /** ID of the container that it replaces, whose data it handles, or whose settings it records. */
  of: `${LABEL_PREFIX}of`,
  /** Ids of all the containers in whose place it stands, the oldest first, separated by commas: `of`, and what that stood for. */
  stoodFor: `${LABEL_PREFIX}stood-for`,
  /** JSON of the restart policy that the container named by `of` had before it was stopped. */
  restartPolicy: `${LABEL_PREFIX}restart-policy`,
  /** Of the same record: seconds that the stop may take, where the step says so. */
  stopTimeout: `${LABEL_PREFIX}stop-timeout`,
  /** Of a record of role `file` or `edit`: the path inside the container named by `of`. */
  path: `${LABEL_PREFIX}path`,
  /** Of a record of role `file`: when its folder was last changed before the file was written, RFC 3339. */
  folderTime: `${LABEL_PREFIX}folder-time`,
  /** Of a record of role `edit`: `made`, or `found` where the file was so before. */
  edit: `${LABEL_PREFIX}edit`,
  /** The image as a person wrote it: the container itself is made from an ID. */
  image: `${LABEL_PREFIX}image`,
} as const;

export type Role = 'instance' | 'job' | 'helper' | 'mark' | 'file' | 'tag' | 'edit';

/** The marks of what this attempt makes. */
export function marks(context: StepContext, role: Role, of: string): Record<string, string> {
  return {
    [LABELS.upgrade]: context.upgrade,
    [LABELS.step]: context.stepId,
    [LABELS.token]: String(context.token),
    [LABELS.role]: role,
    [LABELS.of]: of,
  };
}

/** Filter of the engine's list calls for what an upgrade made for one container. */
export function filterOf(context: StepContext, role: Role, of: string): { label: string[] } {
  return {
    label: [`${LABELS.upgrade}=${context.upgrade}`, `${LABELS.role}=${role}`, `${LABELS.of}=${of}`],
  };
}
