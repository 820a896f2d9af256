import { defineConfig } from 'vitest/config';
import { LongestFirst } from './test/support/longest-first.js';

const shared = {
  ssr: { resolve: { conditions: ['source'] } },
  // the global setup is resolved by an environment of Vitest's own
  environments: { __vitest__: { resolve: { conditions: ['source'] } } },
  oxc: { decorator: { legacy: true, emitDecoratorMetadata: true } },
};

/** What is waited for is waited for as long everywhere: the default is a second. */
const patient = { expect: { poll: { timeout: 60_000 } } };

// In this order: small: pure, beside the code. medium: one lib or app against real servers, which are waited for most of
// the time: three files at a time on two processors. fleet: the whole of it. The longest first, so that none is left over alone.
export default defineConfig({
  ...shared,
  test: {
    reporters: ['default'],
    maxWorkers: 2,
    sequence: { sequencer: LongestFirst },
    projects: [
      {
        ...shared,
        test: {
          ...patient,
          name: 'small',
          include: ['{apps,libs}/**/*.test.ts', 'test/plans/**/*.test.ts'],
          exclude: ['**/node_modules/**', '**/*.medium.test.ts'],
          testTimeout: 60_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        ...shared,
        test: {
          ...patient,
          name: 'medium',
          include: ['{apps,libs}/**/test/**/*.medium.test.ts'],
          globalSetup: ['test/support/servers.setup.ts'],
          setupFiles: ['test/support/ports.setup.ts'],
          testTimeout: 120_000,
          hookTimeout: 300_000,
          maxWorkers: 3,
          sequence: { groupOrder: 1 },
        },
      },
      {
        ...shared,
        test: {
          ...patient,
          name: 'fleet',
          include: ['test/{e2e,chaos}/**/*.test.ts'],
          globalSetup: ['test/support/servers.setup.ts'],
          setupFiles: ['test/support/ports.setup.ts'],
          testTimeout: 900_000,
          hookTimeout: 300_000,
          maxConcurrency: 4,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
