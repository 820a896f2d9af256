import { setFlagsFromString } from 'node:v8';

/** V8's versions in which the flag is known to do this: of one that it does not know, it complains on standard error. */
const KNOWN = /^13\./;
/** MiB; V8 frees young buffers as soon as there are twice as many. */
const CAPACITY = 2;

/**
 * Each read of a socket gets a buffer of 64 KiB outside of V8's heap. V8 keeps those that nobody needs any more until there are 64 MiB of
 * them, by a bound that only this flag moves, and then looks at all of its heap to free them. Who only hands bytes on does better to free
 * them often: it costs less, too, since what is young then needs no look at the rest. To be called before anything is read.
 */
export function freeSocketBuffersSoon(): void {
  if (KNOWN.test(process.versions.v8))
    setFlagsFromString(`--scavenger-max-new-space-capacity-mb=${CAPACITY}`);
}
