/** Names of what Nest injects where a class is not enough. */
export const CLOCK = Symbol('clock');
export const IDS = Symbol('ids');
export const BOOTSTRAP_TOKEN = Symbol('bootstrap token');
export const MAX_STREAMS = Symbol('max streams');
