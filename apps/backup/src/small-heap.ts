import { setFlagsFromString } from 'node:v8';

/** V8's versions in which the flags are known to do this: of one that it does not know, it complains on standard error. */
const KNOWN = /^13\./;

/**
 * Memory that is needed for a moment comes back soon. No bound is set to the heap: a manifest of any number of files finds room in it. Here, and
 * not on a command line, so that it holds wherever the service is started.
 */
const FLAGS = [
  // What a backup passes through lies in buffers outside of V8's heap. Left to itself V8 keeps those that nobody needs any more until there are
  // 64 MiB of them; so it looks for them among what is young, which costs next to nothing, as soon as there are twice as many MiB as this.
  '--scavenger-max-new-space-capacity-mb=2',
  // Left to itself V8 lets the heap grow to several times what is needed of it, and the pages that it had then stay the process's.
  '--heap-growing-percent=20',
] as const;

if (KNOWN.test(process.versions.v8)) for (const flag of FLAGS) setFlagsFromString(flag);
