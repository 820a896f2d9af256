import type { UpgradeExtent } from './instances.js';
import { isService } from './services.js';
import { pointerOf, type Problems } from './problems.js';
import type { Survey } from './survey.js';

/** Nodes that a cluster needs where the document does not say: with a single one nothing is left while pods are made anew. */
const LEAST_NODES = 2;

/** A cluster with too few nodes is not touched, unless the document allows it. */
export function refuseFewNodes(
  { application }: Pick<UpgradeExtent, 'application'>,
  found: Pick<Survey, 'subjects' | 'seen' | 'warnings'>,
  problems: Problems,
): void {
  const { metadata, spec } = application.document;
  const needed = spec.minNodes ?? LEAST_NODES;
  const clusters = new Set(
    found.subjects
      // pods of what k0rdent deploys are in other clusters
      .filter(({ instance }) => instance.target.driver === 'kubernetes' && !isService(instance))
      .map(({ instance }) => instance.target.name),
  );
  for (const name of clusters) {
    const nodes = found.seen.get(name)?.target.nodes;
    if (nodes === undefined && needed > 1)
      found.warnings.push(
        `how many nodes ${name} has cannot be told: where it is a single one, nothing is left while pods are made anew`,
      );
    if (nodes === undefined || nodes >= needed) continue;
    problems.add(
      'unplannable',
      pointerOf('applications', metadata.name, 'spec', 'minNodes'),
      `${name} has ${nodes === 1 ? 'one node that takes' : `${nodes} nodes that take`} pods, and ${metadata.name} needs ${needed}: ` +
        `while pods are made anew too little is left to run on; add nodes, or allow it with \`minNodes: ${Math.max(1, nodes)}\``,
    );
  }
}
