import { expect, test } from 'vitest';
import { parseChallenges } from './challenge.js';

test.each([
  [['Basic realm="a b"'], [{ scheme: 'basic', parameters: { realm: 'a b' } }]],
  [
    ['Bearer realm="https://a/token",service="s",scope="repository:a/b:pull,push"'],
    [
      {
        scheme: 'bearer',
        parameters: { realm: 'https://a/token', service: 's', scope: 'repository:a/b:pull,push' },
      },
    ],
  ],
  [
    ['Basic realm="x", Bearer realm=plain , service="q\\"uoted"'],
    [
      { scheme: 'basic', parameters: { realm: 'x' } },
      { scheme: 'bearer', parameters: { realm: 'plain', service: 'q"uoted' } },
    ],
  ],
  [
    ['Negotiate', 'Basic'],
    [
      { scheme: 'negotiate', parameters: {} },
      { scheme: 'basic', parameters: {} },
    ],
  ],
  [['="broken'], []],
])('%j', (headers, challenges) => {
  expect(parseChallenges(headers)).toEqual(challenges);
});
