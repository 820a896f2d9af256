/** Injection tokens of what has no class of its own. */
export const IDS = Symbol('ids');
export const SECRETS = Symbol('secrets');
export const DELIVERY_POLICY = Symbol('delivery policy');
