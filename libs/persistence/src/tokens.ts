/** Which service this is. */
export const APP = Symbol('app');
/** Where the relay hands its rows to: the app binds its bus to this. */
export const OUTBOX_PUBLISHER = Symbol('outbox publisher');
