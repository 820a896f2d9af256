/** Injection tokens of what has no class of its own. */
export const CLOCK = Symbol('clock');
export const IDS = Symbol('ids');
