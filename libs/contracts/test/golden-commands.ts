import type { z } from 'zod';
import {
  COMMANDS,
  commandEnvelope,
  type CommandContract,
  type CommandEnvelope,
  type CommandName,
} from '#contracts';
import * as sample from './golden-samples.js';
import { asText, type Golden } from './golden.js';

type Input<N extends CommandName> = z.input<(typeof COMMANDS)[N]['data']>;

const timing = { startedAt: sample.AT, endedAt: sample.LATER, actionMs: 2_350.5 };

/** Each command, once for each shape that it may have. One that is missing does not compile. */
const SAMPLES: { readonly [N in CommandName]: Readonly<Record<string, Input<N>>> } = {
  'compute-plan': { '': { upgrade: sample.UPGRADE, request: sample.request } },
  'plan-computed': {
    planned: {
      upgrade: sample.UPGRADE,
      result: { outcome: 'planned', digest: sample.PLAN_DIGEST },
    },
    refused: {
      upgrade: sample.UPGRADE,
      result: { outcome: 'refused', error: sample.checkFailed },
    },
  },
  'run-step': {
    '': {
      ...sample.attempt,
      environment: 'prod',
      application: 'guestbook',
      planDigest: sample.PLAN_DIGEST,
      direction: 'forward',
      step: sample.replaceStep,
    },
    // what it refers to is never in it
    'file-write': {
      ...sample.attempt,
      stepId: sample.writeFilesStep.id,
      environment: 'prod',
      application: 'guestbook',
      planDigest: sample.PLAN_DIGEST,
      direction: 'bracket',
      step: sample.writeFilesStep,
    },
  },
  'revoke-step': { '': { ...sample.attempt, step: sample.replaceStep } },
  'step-started': { '': { ...sample.attempt, owner: 'own_01jd3v2k9q', at: sample.AT } },
  'step-finished': {
    succeeded: {
      ...sample.attempt,
      result: { outcome: 'succeeded', output: { containerId: 'f6'.repeat(32), found: 'done_now' } },
      ...timing,
    },
    failed: {
      ...sample.attempt,
      result: { outcome: 'failed', error: sample.checkFailed, effect: 'possible' },
      ...timing,
    },
    lost: {
      ...sample.attempt,
      result: { outcome: 'lost', error: sample.checkFailed },
      ...timing,
    },
    revoked: {
      ...sample.attempt,
      result: { outcome: 'revoked', began: true },
      endedAt: sample.LATER,
    },
  },
  'backup-found-damaged': { '': sample.damagedBackup },
  'dead-letter-kept': { '': sample.deadLetter },
};

export function goldenCommands(): Golden[] {
  return Object.values<CommandContract>(COMMANDS).flatMap((contract) =>
    Object.entries(SAMPLES[contract.name as CommandName]).map(([shape, data]): Golden => {
      const envelope: CommandEnvelope = {
        id: 'msg_01jd3v2k9qxw5r7t8y6h4n2m1b',
        name: contract.name,
        version: contract.version,
        at: sample.AT,
        from: contract.from[0] ?? '',
        traceparent: '00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01',
        data,
      };
      return {
        path: `commands/${contract.name}.v${contract.version}${shape === '' ? '' : `.${shape}`}.json`,
        text: asText(read(contract, envelope)),
        read: (value) => read(contract, value),
      };
    }),
  );
}

function read(contract: CommandContract, value: unknown): unknown {
  const envelope = commandEnvelope.parse(value);
  return { ...envelope, data: contract.data.parse(envelope.data) };
}
