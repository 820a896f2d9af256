/** Injection tokens of what has no class of its own. */
export const CLOCK = Symbol('clock');
/** Folder of the repository, absolute. */
export const REPOSITORY_ROOT = Symbol('repository root');
/** Bytes of an archive for each byte of data, where no earlier backup tells. */
export const EXPECTED_RATIO = Symbol('expected ratio');
