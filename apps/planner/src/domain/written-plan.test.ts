import { describe, expect, it } from 'vitest';
import { canonicalJson, digestOf } from '#kernel';
import { plan as planSchema } from '#contracts';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';
import { writePlan } from './written-plan.js';

function planned() {
  const found = computePlan(given.input());
  if ('refused' in found) throw found.refused;
  return found.ok;
}

describe('a plan that is written down', () => {
  it('is the plan to the byte: what is spelled out for the digest is what is stored, and what is read again', () => {
    const plan = planned();
    const { digest, characters, pages } = writePlan('shop', plan);
    const body = pages.map(({ text }) => text).join('');
    expect(digest).toBe(digestOf(plan));
    expect(body).toBe(canonicalJson(plan));
    expect(characters).toBe(body.length);
    expect(canonicalJson(planSchema.parse(JSON.parse(body)))).toBe(body);
    expect(writePlan('shop', planned()).digest).toBe(digest);
  });

  it('is refused when it is too large to be handed on, rather than cut off for whoever reads it', () => {
    const plan = planned();
    const { length } = canonicalJson(plan);
    expect(writePlan('shop', plan, length).characters).toBe(length);
    expect(() => writePlan('shop', plan, length - 1)).toThrow(
      /^shop: its plan is longer than 0 MiB.*: ask for a release that fewer hops lead to/,
    );
  });
});
