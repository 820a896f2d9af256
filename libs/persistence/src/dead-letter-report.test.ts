import { describe, expect, it } from 'vitest';
import { LiftlockError } from '#kernel';
import { commandEnvelope, COMMANDS } from '#contracts';
import type { DeadLetter } from './dead-letter.js';
import { reportOf } from './dead-letter-report.js';

const UPGRADE = 'upg_01jd3v2k9qxw5r7t8y6h4n2m1b';
const AT = new Date('2026-11-21T08:00:00.000Z');
const letter: DeadLetter = {
  messageId: 'msg_1',
  subject: 'liftlock.command.main.mirror.run-step',
  payload: JSON.stringify({ data: { upgrade: UPGRADE, secret: 'of the payload' } }),
  error: new LiftlockError('invalid_step', 'no such action').toShape(),
  deliveries: 1,
};
const report = (more: Partial<DeadLetter> = {}) => reportOf({ ...letter, ...more }, 'mirror', AT);

function dataOf(message: ReturnType<typeof report>) {
  const envelope = commandEnvelope.parse(JSON.parse(message?.payload ?? ''));
  return COMMANDS['dead-letter-kept'].data.parse(envelope.data);
}

describe('what is told of a dead letter', () => {
  it('is what the catalogue says, about its upgrade, and nothing of the payload', () => {
    const message = report();
    expect(message?.subject).toBe('liftlock.command.main.coordinator.dead-letter-kept');
    expect(dataOf(message)).toEqual({
      app: 'mirror',
      messageId: 'msg_1',
      subject: letter.subject,
      upgrade: UPGRADE,
      error: letter.error,
      deliveries: 1,
    });
    expect(message?.payload).not.toContain('of the payload');
  });

  it('has the same id each time, another for another letter or service, and never one too long', () => {
    expect(report()?.id).toBe(report({ deliveries: 7 })?.id);
    const ids = [
      report(),
      report({ messageId: 'msg_2' }),
      reportOf(letter, 'backup', AT),
      report({ messageId: 'x'.repeat(300) }),
    ].map((message) => message?.id ?? '');
    expect(new Set(ids).size).toBe(4);
    expect(Math.max(...ids.map(({ length }) => length))).toBeLessThanOrEqual(300);
  });

  it.each([
    ['no JSON', 'what is this', letter.subject, undefined],
    ['null', 'null', letter.subject, undefined],
    ['an id that is none', '{"data":{"upgrade":"../../etc"}}', letter.subject, undefined],
    ['an event', 'odd', `liftlock.event.prod.shop.${UPGRADE}.step-failed`, UPGRADE],
  ])('of %s is about what can be read', (_name, payload, subject, upgrade) => {
    expect(dataOf(report({ payload, subject })).upgrade).toBe(upgrade);
  });

  it('fits into a message, however much was wrong', () => {
    const issues = Array.from({ length: 50_000 }, (_, n) => ({
      pointer: `/${n}`,
      message: 'is wrong',
    }));
    const error = { ...letter.error, issues, details: { much: 'x'.repeat(2_000_000) } };
    const message = report({ error });
    expect(message?.payload.length).toBeLessThan(64 * 1024);
    expect(dataOf(message).error.issues).toHaveLength(20);
  });

  it.each([
    'liftlock.command.main.coordinator.dead-letter-kept',
    'liftlock.command.main.coordinator.dead-letter-kept.v2',
    `liftlock.event.prod.shop.${UPGRADE}.message-dead-lettered`,
  ])('is nothing when %s is the dead letter: there would be no end', (subject) => {
    expect(report({ subject })).toBeUndefined();
  });
});
