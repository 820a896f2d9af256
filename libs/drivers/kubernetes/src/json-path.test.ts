import { expect, test } from 'vitest';
import { valueAt } from './json-path.js';

const object = {
  metadata: { labels: { 'example.com/team': 'one' } },
  status: {
    phase: 'Done',
    count: 0,
    ok: false,
    services: [
      { name: 'a', state: 'Deployed' },
      { name: 'b', state: 'Failed' },
    ],
    conditions: [{ type: 'Ready', status: 'True' }],
  },
};

test.each([
  ['{.status.phase}', 'Done'],
  ['{$.status.count}', '0'],
  ['{.status.ok}', 'false'],
  ['{.status.services[1].state}', 'Failed'],
  ['{.status.services[-2].state}', 'Deployed'],
  ['{.status.services[?(@.name=="b")].state}', 'Failed'],
  ["{.status.conditions[?(@.type == 'Ready')].status}", 'True'],
  ["{.metadata.labels['example.com/team']}", 'one'],
  [String.raw`{.metadata.labels.example\.com/team}`, undefined],
  ['{.status.services[0]}', '{"name":"a","state":"Deployed"}'],
  ['{.status.nothing.below}', undefined],
  ['{.status.constructor}', undefined],
  ['{.status.services[9].state}', undefined],
])('%s is %s', (path, expected) => {
  if (path.includes('\\.com/')) expect(() => valueAt(object, path)).toThrow('is not understood');
  else expect(valueAt(object, path)).toBe(expected);
});

test.each(['{.a[*]}', '{range .a}', '{.a..b}'])('%s is not understood', (path) => {
  expect(() => valueAt({ a: [1] }, path)).toThrow('is not understood');
});
