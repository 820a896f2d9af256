import { expect, test } from 'vitest';
import { selectTags } from './sync-file.js';

const digest = 'a'.repeat(64);
const TAGS = ['14.9', '15', '15.4', '16.1', '16.1-alpine', '16.2-rc1', '17.0', 'v16.0.3', 'latest'];
const from = 'docker.io/library/postgres';

test.each([
  [{ semver: '>=15 <17' }, ['15.4', '16.1', 'v16.0.3']],
  [{ semver: '>=15 <17', newest: 2 }, ['16.1', 'v16.0.3']],
  [{ match: '-alpine$' }, ['16.1-alpine']],
  [{ match: '^1[67]', newest: 2 }, ['17.0', '16.2-rc1']],
  [{ match: '.' }, TAGS],
])('%j', (entry, tags) => {
  const more = [`sha256-${digest}.sig`, `sha256-${digest}`];
  expect(selectTags([...TAGS, ...more], { from, ...entry })).toEqual(tags);
});
