import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { RunningVersion } from './running-version.js';
import { checkCompatibility, type CompatibilityQuestion, type Move } from './compatibility.js';
import { Problems } from './problems.js';
import { liesIn } from './versions.js';

const at = (
  component: string,
  version: string,
  requires: Record<string, string> = {},
): RunningVersion => ({ component, version, requires });

const move = (instance: string, from: RunningVersion, to: RunningVersion): Move => ({
  ...{ instance, from, to },
});

function check(question: Partial<CompatibilityQuestion>): { refused: string; warnings: string[] } {
  const problems = new Problems();
  const { moments = [] } = question;
  const arrivals = [...moments].flatMap(({ moves }) => moves.map(({ to }) => to));
  const given = { application: 'isecl', running: new Map(), coordinatedMajor: false };
  const warnings = checkCompatibility({ ...given, ...question, moments, arrivals }, problems);
  return { refused: problems.any ? problems.toError('isecl').message : '', warnings };
}

const needs4 = { aas: '>=4.0 <5' };
const running = new Map([
  ['aas@h', at('aas', '3.6')],
  ['kbs@h', at('kbs', '3.6', { aas: '>=3.0 <4' })],
]);
const aas = move('aas@h', at('aas', '3.6'), at('aas', '4.0'));
const kbs = move('kbs@h', at('kbs', '3.6', { aas: '>=3.0 <4' }), at('kbs', '4.0', needs4));

describe('compatibility', () => {
  it('of two major versions that meet is refused, with the moment and the pair', () => {
    const moments = [
      { name: 'wave 1', moves: [aas] },
      { name: 'wave 2', moves: [kbs] },
    ];
    expect(check({ running, moments }).refused).toContain(
      'during wave 1, kbs 3.6 requires aas >=3.0 <4, and aas 4.0 runs',
    );
    expect(check({ running, moments }).refused).toContain(
      'during wave 2, kbs 3.6 requires aas >=3.0 <4, and aas 4.0 runs',
    );
    const coordinated = check({ running, moments, coordinatedMajor: true });
    expect(coordinated.refused).toBe('');
    expect(coordinated.warnings[0]).toContain('lets major versions meet');
  });

  it('in one wave, either may be the first', () => {
    const wide = move('aas@h', at('aas', '4.0'), at('aas', '4.1'));
    const asking = move('kbs@h', at('kbs', '4.0'), at('kbs', '4.1', { aas: '>=4.1' }));
    const before = new Map([
      ['aas@h', at('aas', '4.0')],
      ['kbs@h', at('kbs', '4.0')],
    ]);
    const together = [{ name: 'the wave', moves: [wide, asking] }];
    expect(check({ running: before, moments: together }).refused).toContain(
      'during the wave, kbs 4.1 requires aas >=4.1, and aas 4.0 runs',
    );
    const apart = [
      { name: 'wave 1', moves: [wide] },
      { name: 'wave 2', moves: [asking] },
    ];
    expect(check({ running: before, moments: apart })).toEqual({ refused: '', warnings: [] });
  });

  it('is broken at the start, and at the end, also where major versions may meet', () => {
    const wrong = new Map([...running, ['kbs@h', at('kbs', '4.0', needs4)]]);
    expect(check({ running: wrong, coordinatedMajor: true }).refused).toContain(
      'at the start, kbs 4.0 requires aas >=4.0 <5, and aas 3.6 runs',
    );
    const only = [{ name: 'wave 1', moves: [aas] }];
    expect(check({ running, moments: only, coordinatedMajor: true }).refused).toContain(
      'at the end, kbs 3.6 requires aas >=3.0 <4, and aas 4.0 runs',
    );
  });

  it('one instance of many that stays behind is enough', () => {
    const two = new Map([...running, ['aas@i', at('aas', '3.6')]]);
    const both = [{ name: 'wave 1', moves: [aas, kbs] }];
    expect(check({ running: two, moments: both, coordinatedMajor: true }).refused).toContain(
      'at the end, kbs 4.0 requires aas >=4.0 <5, and aas 3.6 runs',
    );
  });

  it('that cannot be told is a warning', () => {
    const odd = new Map([...running, ['aas@h', at('aas', 'nightly')]]);
    expect(check({ running: odd }).warnings).toEqual([
      'kbs 3.6 requires aas >=3.0 <4: whether nightly fits cannot be told',
    ]);
  });

  it('what is planned holds at every moment, whichever instance of a wave is quicker', () => {
    const versions = ['1.0', '1.5', '2.0'];
    const range = fc.constantFrom('>=1.0', '<2.0', '>=1.5', '>=2.0', '1.x');
    const names = ['a', 'b', 'c'];
    const step = fc.record({
      component: fc.constantFrom(...names),
      to: fc.constantFrom(...versions),
      wave: fc.integer({ min: 0, max: 3 }),
    });
    const requires = fc.dictionary(
      fc
        .tuple(fc.constantFrom(...names), fc.constantFrom(...versions))
        .map(([n, v]) => `${n} ${v}`),
      fc.dictionary(fc.constantFrom(...names), range, { maxKeys: 1, noNullPrototype: true }),
      { maxKeys: 3, noNullPrototype: true },
    );
    fc.assert(
      fc.property(
        fc.uniqueArray(step, {
          maxLength: 6,
          selector: ({ component, wave }) => `${component} ${wave}`,
        }),
        requires,
        (steps, asked) => {
          const of = (component: string, version: string): RunningVersion => {
            const { [component]: _itself, ...others } = asked[`${component} ${version}`] ?? {};
            return at(component, version, others);
          };
          const begin = new Map(names.map((name) => [`${name}@h`, of(name, '1.0')]));
          const now = new Map(begin);
          const moments = [0, 1, 2, 3].map((wave) => ({
            name: `wave ${wave}`,
            moves: steps
              .filter((one) => one.wave === wave)
              .map(({ component, to }) => {
                const instance = `${component}@h`;
                const from = now.get(instance) ?? of(component, '1.0');
                now.set(instance, of(component, to));
                return move(instance, from, of(component, to));
              }),
          }));
          const isSound = (state: ReadonlyMap<string, RunningVersion>): boolean =>
            [...state.values()].every((one) =>
              Object.entries(one.requires).every(
                ([other, wanted]) =>
                  liesIn(state.get(`${other}@h`)?.version ?? '', wanted) === true,
              ),
            );
          // every state that any order of any wave can be in
          const state = new Map(begin);
          let sound = isSound(state);
          for (const { moves } of moments) {
            for (let quick = 0; quick < 1 << moves.length; quick += 1) {
              const mixed = new Map(state);
              moves.forEach(({ instance, to }, i) => {
                if ((quick >> i) & 1) mixed.set(instance, to);
              });
              sound &&= isSound(mixed);
            }
            for (const { instance, to } of moves) state.set(instance, to);
          }
          expect(check({ running: begin, moments }).refused === '').toBe(sound);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
