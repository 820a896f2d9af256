import { expect, it } from 'vitest';
import { check } from '../actions/checks.js';
import { issuesOfChecks } from './issues-of-checks.js';

const tcp = { type: 'tcp', host: '127.0.0.1', port: 9 };

it('a stable time that no deadline leaves room for is refused where it stands, also one that nobody wrote', () => {
  const issuesOf = (...checks: object[]) =>
    issuesOfChecks(
      checks.map((one) => check.parse(one)),
      '/spec/components/0',
    );
  expect(issuesOf({ type: 'running' }, { ...tcp, deadlineSeconds: 0.1 })).toEqual([]);
  expect(
    issuesOf({ type: 'running', deadlineSeconds: 1 }, { ...tcp, stableSeconds: 60 }),
  ).toMatchObject([
    { pointer: '/spec/components/0/checks/0/stableSeconds' },
    { pointer: '/spec/components/0/checks/1/stableSeconds' },
  ]);
});
