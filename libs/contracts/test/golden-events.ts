import type { z } from 'zod';
import {
  cloudEvent,
  EVENT_DATA,
  EVENT_TYPES,
  type EventType,
  type LiftlockCloudEvent,
} from '#contracts';
import { toCloudEvent, toFleetEvent } from '#bus';
import * as sample from './golden-samples.js';
import { asText, type Golden } from './golden.js';

const error = sample.checkFailed;
const because = { message: error.message, error };
const attempt = { step: sample.STEP, token: 3, attempt: 2 };
const timing = { startedAt: sample.AT, endedAt: sample.LATER, actionMs: 2_350.5 };
const lane = { lane: 'h1/w1/guestbook@docker-1', instance: 'guestbook@docker-1' };

const { upgrade: _upgrade, ...withoutUpgrade } = sample.deadLetter;

const { environment: _environment, application: _application, ...damaged } = sample.damagedBackup;

/** Each type of event with all that it may say. One that is missing does not compile. */
const SAMPLES: { readonly [T in EventType]: z.input<(typeof EVENT_DATA)[T]> } = {
  'upgrade-created': {
    environment: 'prod',
    application: 'guestbook',
    release: 'guestbook-2.0.0',
    actor: 'ann',
  },
  'upgrade-planned': {
    from: '1.0.0',
    to: '2.0.0',
    changes: sample.changes,
    warnings: sample.view.warnings ?? [],
  },
  'upgrade-state-changed': {
    from: 'running',
    to: 'baking',
    ...because,
    actor: 'ann',
    seconds: 600,
  },
  'upgrade-decision': {
    decision: 'retry',
    actor: 'ann',
    reason: 'the disk has room again',
    step: sample.STEP,
  },
  'upgrade-warning': { message: 'an old image is left behind', step: sample.STEP, error },
  'upgrade-succeeded': because,
  'upgrade-partially-succeeded': because,
  'upgrade-rolled-back': because,
  'upgrade-failed': because,
  'upgrade-rejected': because,
  'upgrade-cancelled': because,
  'upgrade-needs-attention': { steps: [sample.STEP], ...because },
  'hop-started': { hop: 'h1', from: '1.0.0', to: '2.0.0' },
  'hop-verified': { hop: 'h1', to: '2.0.0' },
  'wave-started': { wave: 'h1/w1', lanes: [lane.lane] },
  'wave-verified': { wave: 'h1/w1' },
  'lane-started': { ...lane, from: '1.0.0', to: '2.0.0' },
  'lane-verified': { ...lane, to: '2.0.0' },
  'lane-failed': { ...lane, step: sample.STEP, error },
  'lane-taken-back': { ...lane, to: '1.0.0' },
  'step-dispatched': {
    ...attempt,
    title: sample.replaceStep.title,
    action: sample.replaceStep.action,
    direction: 'forward',
  },
  'step-started': { ...attempt, owner: 'own_01jd3v2k9q' },
  'step-succeeded': { ...attempt, ...timing, output: { found: 'done_now' } },
  'step-failed': { ...attempt, ...timing, error },
  'step-retrying': { ...attempt, ...timing, error, afterMs: 2_000 },
  'step-in-doubt': { ...attempt, ...timing, error },
  'step-skipped': { step: sample.STEP, actor: 'ann', reason: 'done by hand' },
  'step-resolved': {
    step: sample.STEP,
    outcome: 'succeeded',
    actor: 'ann',
    reason: 'seen by hand',
  },
  'message-dead-lettered': withoutUpgrade,
  'backup-damaged': damaged,
  'approval-given': {
    actor: 'ben',
    role: 'approver',
    at: sample.AT,
    plan: sample.PLAN_DIGEST,
    comment: 'seen on staging',
    missing: sample.approvals.missing,
  },
  'upgrade-waiting': sample.waiting,
};

export function goldenEvents(): Golden[] {
  return [...EVENT_TYPES.map(goldenEvent), goldenFleetEvent()];
}

/** Of a message that says nothing of its upgrade. */
function goldenFleetEvent(): Golden {
  const read = (value: unknown): unknown => {
    const event = cloudEvent.parse(value);
    return { ...event, data: EVENT_DATA['message-dead-lettered'].parse(event.data) };
  };
  const event = toFleetEvent(withoutUpgrade, new Date(sample.AT));
  return { path: 'events/message-dead-lettered.v1.fleet.json', text: asText(read(event)), read };
}

function goldenEvent(type: EventType, index: number): Golden {
  const read = (value: unknown): unknown => {
    const event = cloudEvent.parse(value);
    return { ...event, data: readData(type, event) };
  };
  const event = toCloudEvent(
    {
      upgrade: sample.UPGRADE,
      sequence: index + 1,
      type,
      at: sample.AT,
      data: SAMPLES[type],
    },
    { environment: 'prod', application: 'guestbook' },
  );
  return { path: `events/${type}.v1.json`, text: asText(read(event)), read };
}

/** What the type says, and what every event says about its upgrade. */
function readData(type: EventType, { data }: LiftlockCloudEvent): unknown {
  const { upgrade, environment, application } = data;
  return { ...EVENT_DATA[type].parse(data), upgrade, environment, application };
}
