import { expect, it } from 'vitest';
import { broughtAs, withBrought } from './brought.js';

const reference = 'registry.example/web:2.0';
const image = `registry.example/web@sha256:${'2'.repeat(64)}`;
const plain = { metadata: { annotations: { of: 'others' } }, spec: { containers: [] } };

it('notes which reference a pinned image was brought by, beside what others wrote', () => {
  const noted = withBrought(plain, { image, reference });
  expect(noted.metadata?.annotations).toMatchObject({ of: 'others' });
  expect(broughtAs(noted, image)).toBe(reference);
  expect(broughtAs(noted, `${image.slice(0, -1)}3`)).toBeUndefined();
  expect(broughtAs(plain, image)).toBeUndefined();
});

it('leaves no note of an image before where the template has the reference itself', () => {
  expect(withBrought(plain, { image, reference: image })).toBe(plain);
  const noted = withBrought(plain, { image, reference });
  expect(withBrought(noted, { image, reference: image })).toEqual(plain);
});
