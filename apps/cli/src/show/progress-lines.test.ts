import { describe, expect, it } from 'vitest';
import { NO_COLOURS } from './colours.js';
import { clipStyled, LiveLines } from './live-lines.js';
import { ProgressLines } from './progress-lines.js';

const upgrade = 'upg_01m7yhjd740ke4s5971snksa40';
let sequence = 0;
const event = (type: string, data: Record<string, unknown> = {}) => ({
  upgrade,
  sequence: (sequence += 1),
  type,
  at: '2030-01-31T00:00:00.000Z',
  data,
});
const step = 'h1/w1/web@host/1-stop';
const dispatched = event('step-dispatched', { step, title: 'Stop web@host', direction: 'forward' });
const error = { code: 'target_refused', message: 'no\u001b[2J', retryable: false };
const timing = { startedAt: '2030-01-31T00:00:01.000Z', endedAt: '2030-01-31T00:00:02.500Z' };
const places = new Map([
  [step, { stage: 'wave 1/2', instance: 'web@host', title: 'Stop web@host' }],
]);

function progress(): ProgressLines {
  const lines = new ProgressLines(NO_COLOURS);
  lines.setPlaces(places);
  return lines;
}

describe('the lines of a history', () => {
  it('a step is one line with wave, component, title and duration', () => {
    const lines = progress();
    expect(lines.apply(dispatched).lines).toEqual([]);
    expect(lines.active).toHaveLength(1);
    const [line] = lines.apply(event('step-succeeded', { step, ...timing, attempt: 2 })).lines;
    expect(line).toMatch(/^✓ wave 1\/2 +web@host +Stop web@host +1\.5 s \(attempt 2\)$/);
    expect(lines.active).toEqual([]);
  });

  it('a warning that is the same of several instances is one line, as in the plan', () => {
    const instances = ['web@host-a', 'web@host-b'];
    const warnings = instances.map((one) => `${one} does not run`);
    const changes = instances.map((instance) => ({ instance }));
    const said = progress().apply(event('upgrade-planned', { warnings, changes }));
    expect(said.lines).toEqual(['! web@host-a does not run (and so of web@host-b)']);
  });

  it('a failure says why, cannot play with the terminal, and asks for its log', () => {
    const lines = progress();
    lines.apply(dispatched);
    const said = lines.apply(event('step-failed', { step, error, ...timing }));
    expect(said.lines[1]).toBe('    target_refused: no�[2J');
    expect(said.failed).toEqual({ step, reason: error.message });
  });

  it('a step that was called back since the upgrade goes back has no log worth reading', () => {
    const revoked = { code: 'revoked', message: 'called back', retryable: false };
    expect(progress().apply(event('step-failed', { step, error: revoked })).failed).toBeUndefined();
  });

  it('what a newer fleet says otherwise, or besides, breaks nothing', () => {
    const lines = progress();
    expect(lines.apply(event('moon-eclipsed', { step: 7 })).lines).toEqual([]);
    expect(
      lines.apply(event('step-failed', { step, error: 'odd', attempt: 'x' })).lines,
    ).toHaveLength(1);
    expect(lines.apply(event('upgrade-state-changed', {})).lines).toEqual([]);
  });

  it('a message that nobody could handle is not hidden: who, what, how often and why', () => {
    const subject = 'liftlock.command.main.backup.run-step';
    const letter = { app: 'backup', messageId: 'm-1', subject, error, deliveries: 5 };
    expect(progress().apply(event('message-dead-lettered', letter)).lines).toEqual([
      `! backup could not handle ${subject} in 5 deliveries: it is kept`,
      '    target_refused: no\ufffd[2J',
    ]);
    expect(progress().apply(event('message-dead-lettered')).lines).toHaveLength(1);
  });

  it('a round of checks while baking is no line; one that fails is', () => {
    const lines = progress();
    lines.apply(event('step-dispatched', { step, direction: 'bake' }));
    expect(lines.apply(event('step-succeeded', { step })).lines).toEqual([]);
    lines.apply(event('step-dispatched', { step, direction: 'bake' }));
    expect(lines.apply(event('step-failed', { step, error })).lines).toHaveLength(2);
  });
});

describe('lines that are drawn again', () => {
  it('without a terminal nothing is drawn that would have to be erased', () => {
    const written: string[] = [];
    const live = new LiveLines(
      (text) => written.push(text),
      undefined,
      () => ['busy'],
    );
    live.start();
    live.print(['done']);
    live.stop();
    expect(written).toEqual(['done\n']);
  });

  it('what takes two lines is never cut in two, and a total below is there however much there is above', () => {
    const written: string[] = [];
    const live = new LiveLines(
      (text) => written.push(text),
      { width: () => 80 },
      () => [...['a', 'b', 'c', 'd'].map((name) => `${name}\n  bar of ${name}`), 'e'],
      () => ['in all'],
    );
    live.start();
    live.print(['done']);
    const drawn = written.at(-1);
    live.stop();
    const entries = ['a', 'b', 'c', 'd'].flatMap((name) => [name, `  bar of ${name}`]);
    expect(drawn).toBe(`${[...entries, '  and 1 more', 'in all'].join('\n')}\n`);
    // one cursor movement takes all of it away
    expect(written.at(-1)).toBe('\u001b[10A\r\u001b[J');
  });

  it('never wrap, whatever their colours: a wrapped line would be erased by half', () => {
    expect(clipStyled('\u001b[31mabcdef\u001b[39m', 4)).toBe('abc…');
    expect(clipStyled('\u001b[31mabcdef\u001b[39m', 6)).toBe('\u001b[31mabcdef\u001b[39m');
  });
});
