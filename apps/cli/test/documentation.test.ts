import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { readText } from '../src/documents/read-documents.js';

const PAGES = ['planning.md', 'policy.md', 'drivers/kubernetes.md'];

describe.each(PAGES)('the examples of docs/%s', (page) => {
  const text = readFileSync(new URL(`../../../docs/${page}`, import.meta.url), 'utf8');
  const blocks = [...text.matchAll(/```yaml\n([^`]*)```/g)].map(([, yaml = '']) => yaml);

  it('are documents that apply takes', () => {
    expect(blocks.length).toBeGreaterThan(0);
    for (const block of blocks) expect(readText(page, block).faults).toEqual([]);
  });
});
