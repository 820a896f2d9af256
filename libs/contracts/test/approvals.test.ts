import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { APPROVAL_ROLES, approvalsText, missingApprovals } from '#contracts';

const need = (role: (typeof APPROVAL_ROLES)[number], count: number) => ({ role, count });
const by = (...roles: Array<(typeof APPROVAL_ROLES)[number]>) => roles.map((role) => ({ role }));

describe('missing approvals', () => {
  const needed = [need('approver', 2), need('operator', 1)];

  it.each([
    [by(), [need('approver', 2), need('operator', 1)]],
    [by('approver'), [need('approver', 1), need('operator', 1)]],
    [by('approver', 'approver', 'approver'), [need('operator', 1)]],
    [by('admin', 'approver', 'approver'), []],
    [by('admin', 'admin', 'admin'), []],
    [by('operator', 'admin'), [need('approver', 1)]],
  ])('after %j: %j', (given, missing) => {
    expect(missingApprovals(needed, given)).toEqual(missing);
  });

  it('an admin is no substitute for the admin that is asked for besides', () => {
    expect(missingApprovals([need('approver', 1), need('admin', 1)], by('admin'))).toEqual([
      need('approver', 1),
    ]);
  });

  it('does not depend on the order they were given in', () => {
    const given = fc.array(fc.constantFrom(...APPROVAL_ROLES), { maxLength: 6 });
    fc.assert(
      fc.property(given, fc.integer(), (roles, seed) => {
        const turned = roles.map((_, index) => roles[(index + Math.abs(seed)) % roles.length]);
        const other = turned.flatMap((role) => (role === undefined ? [] : [role]));
        expect(missingApprovals(needed, by(...other))).toEqual(
          missingApprovals(needed, by(...roles)),
        );
      }),
    );
  });

  it('reads as a sentence', () => {
    expect(approvalsText(needed)).toBe('2 approvers and 1 operator');
  });
});
