import { describe, expect, it } from 'vitest';
import { warningsInShort } from './plan-warnings.js';

const instances = Array.from({ length: 500 }, (_, n) => `web@host-${n + 1}`);
const changes = instances.map((instance) => {
  const [component = '', target = ''] = instance.split('@');
  return { instance, component, target, from: '1.0', to: '2.0', updated: true };
});
const short = (...warnings: string[]): string[] => warningsInShort({ warnings, changes });
const stopped = (instance: string): string => `${instance} does not run: it stays stopped`;

describe('warnings of a plan, for a person', () => {
  it('of a fleet say once what is the same of each instance, and how many they are', () => {
    expect(short('web has no checks', ...instances.map(stopped))).toEqual([
      'web has no checks',
      'web@host-1 does not run: it stays stopped (and so of web@host-2, web@host-3, web@host-4 and 496 more: -o markdown has each)',
    ]);
    expect(short(...instances.slice(0, 2).map(stopped))).toEqual([
      'web@host-1 does not run: it stays stopped (and so of web@host-2)',
    ]);
  });

  it('say where those are that are not named, wherever they are shown', () => {
    const warnings = instances.map(stopped);
    const [text] = warningsInShort({ warnings, changes }, '-o json has each');
    expect(text).toMatch(/ and 496 more: -o json has each\)$/);
  });

  it('that differ in anything else, or are about two together, stand as they are', () => {
    const all = [
      'web@host-1 writes to /a, which is not among its data',
      'web@host-2 writes to /b, which is not among its data',
      'web@host-1 and web@host-2 meet',
      'web@host-1 and web@host-3 meet',
      'ops@example.com is told',
      'ops@example.org is told',
    ];
    expect(short(...all)).toEqual(all);
  });
});
