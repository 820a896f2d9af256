import type { z } from 'zod';
import { PROGRESS, upgradeProgress, type ProgressContract, type ProgressName } from '#contracts';
import * as sample from './golden-samples.js';
import { asText, type Golden } from './golden.js';

type Input<N extends ProgressName> = z.input<(typeof PROGRESS)[N]['data']>;

const transfer = {
  upgrade: sample.UPGRADE,
  environment: 'prod',
  application: 'guestbook',
  stepId: 'prepare/mirror/guestbook',
  token: 3,
} as const;
const MIB = 1024 * 1024;

/** Each message of what is under way, once for each shape that it may have. One that is missing does not compile. */
const SAMPLES: { readonly [N in ProgressName]: Readonly<Record<string, Input<N>>> } = {
  'step-transfer': {
    '': {
      ...transfer,
      part: 'copy',
      state: 'running',
      doneBytes: 12 * MIB,
      totalBytes: 64 * MIB,
      bytesPerSecond: 3.25 * MIB,
      at: sample.AT,
    },
    done: {
      ...transfer,
      part: 'copy',
      state: 'done',
      doneBytes: 64 * MIB,
      totalBytes: 64 * MIB,
      at: sample.LATER,
    },
  },
};

/** As the API's event stream says it. */
const SERVER_SENT: z.input<typeof upgradeProgress> = {
  upgrade: sample.UPGRADE,
  at: sample.AT,
  steps: [
    {
      step: transfer.stepId,
      part: 'copy',
      doneBytes: 12 * MIB,
      totalBytes: 64 * MIB,
      bytesPerSecond: 3.25 * MIB,
      secondsLeft: 16,
    },
  ],
  totals: [
    {
      kind: 'images',
      running: 1,
      doneBytes: 76 * MIB,
      totalBytes: 128 * MIB,
      bytesPerSecond: 3.25 * MIB,
      secondsLeft: 16,
    },
  ],
};

export function goldenProgress(): Golden[] {
  const messages = Object.values<ProgressContract>(PROGRESS).flatMap(({ name, version, data }) =>
    Object.entries(SAMPLES[name as ProgressName]).map(([shape, value]): Golden => ({
      path: `progress/${name}.v${version}${shape === '' ? '' : `.${shape}`}.json`,
      text: asText(data.parse(value)),
      read: (read) => data.parse(read),
    })),
  );
  const serverSent: Golden = {
    path: 'progress/server-sent.v1.json',
    text: asText(upgradeProgress.parse(SERVER_SENT)),
    read: (read) => upgradeProgress.parse(read),
  };
  return [...messages, serverSent];
}
