import { expect } from 'vitest';
import { waitFor } from '#kernel';
import { NODES } from './lightwave-hosts.js';
import { IMAGE, type Lightwave } from './lightwave.js';

/** Whatever the end is, and whether a replica's turn came or not: no file with a password, no helper, no record and no second name is left. */
export async function expectNothingLeft(pair: Lightwave): Promise<void> {
  for (const node of NODES) {
    expect(pair.hasPassword(node), `password on node ${node}`).toBe(false);
    // a helper whose process was killed is removed by the engine when it ends
    await waitFor(
      async () => {
        expect(await pair.names(node)).toEqual(['lightwave', 'lw_data']);
        return true;
      },
      { what: `nothing but the replica on node ${node}`, deadlineMs: 60_000 },
    );
    expect(await pair.records(node), `records on node ${node}`).toEqual([]);
    expect(await pair.imageId(node, `${IMAGE}-old`)).toBe(undefined);
  }
}
