/** Injection tokens of what has no class of its own. */
export const CLOCK = Symbol('clock');
/** Folders of this machine that data may be in: absolute. */
export const FOLDERS = Symbol('folders');
/** Bytes of an archive for each byte of data, where no earlier backup tells. */
export const EXPECTED_RATIO = Symbol('expected ratio');
