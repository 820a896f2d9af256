/** Arguments of Node for a child process of a test that runs from its source, as the test does. */
export const RUN_SOURCE: readonly string[] = [
  '--conditions=source',
  '--experimental-transform-types',
  '--no-warnings',
  '--import',
  import.meta.resolve('./typescript-hook.mjs'),
];

/** The same, of a source that has decorators. */
export const RUN_NEST_SOURCE: readonly string[] = [
  ...RUN_SOURCE,
  '--import',
  import.meta.resolve('./decorators-hook.mjs'),
];
