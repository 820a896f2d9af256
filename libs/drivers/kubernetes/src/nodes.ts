import type { ActionInput } from '#contracts';
import { isConflict } from './errors.js';
import { hashOf } from './labels.js';
import type { ObjectAttempt, ObjectFound } from './object-attempt.js';
import { hookFailed } from './object-place.js';
import type { KubeNode } from './objects.js';
import { RESOURCES } from './resources.js';
import { selectorText } from './selectors.js';

type NodeWork = Extract<
  ActionInput<'hook.object'>['work'],
  { type: 'cordon' | 'uncordon' | 'drain' }
>;

/** On a node that an upgrade cordoned: which, and by which step. With it, in one change, it is cordoned: so it is known after a crash, too. */
const CORDONED_BY = 'liftlock.dev/cordoned-by';

/** @throws LiftlockError `hook_failed` for a name that no node has */
export async function nodesOf(
  { cluster, signal }: ObjectAttempt,
  { nodes: { names, selector } }: Pick<NodeWork, 'nodes'>,
): Promise<readonly KubeNode[]> {
  const labels = selector === undefined ? undefined : selectorText({ matchLabels: selector });
  const all = await cluster.list<KubeNode>(RESOURCES.nodes, { labels }, signal);
  if (names === undefined) {
    if (all.length > 0) return all;
    throw hookFailed(cluster, `no node has the labels ${labels}`);
  }
  const missing = names.filter((name) => !all.some(({ metadata }) => metadata.name === name));
  if (missing.length > 0) throw hookFailed(cluster, `there are no nodes ${missing.join(', ')}`);
  return all.filter(({ metadata }) => names.includes(metadata.name));
}

/** Those that are cordoned already are left to whoever cordoned them. */
export async function cordon(attempt: ObjectAttempt, work: NodeWork): Promise<ObjectFound> {
  const mark = markOf(attempt, attempt.context.stepId);
  const nodes = await nodesOf(attempt, work);
  let changed = false;
  for (const node of nodes)
    changed = (await rewrite(attempt, node, (now) => cordoned(now, mark))) || changed;
  if (changed) return 'done_now';
  const isOurs = nodes.some((node) => node.metadata.annotations?.[CORDONED_BY] === mark);
  return isOurs ? 'done_before' : 'nothing_to_do';
}

/** Only what this upgrade cordoned. */
export async function uncordon(
  attempt: ObjectAttempt,
  work: NodeWork,
  recorded: boolean,
): Promise<ObjectFound> {
  const { upgrade, stepId } = attempt.context;
  const nodes = (await nodesOf(attempt, work)).filter((node) =>
    node.metadata.annotations?.[CORDONED_BY]?.startsWith(`${upgrade}.`),
  );
  const kept = await attempt.records.find(stepId);
  if (nodes.length === 0) return kept === undefined ? 'nothing_to_do' : 'done_before';
  if (recorded)
    await attempt.keep(
      stepId,
      nodes.map((before) => ({
        place: { resource: RESOURCES.nodes, name: before.metadata.name },
        before,
      })),
    );
  for (const node of nodes) await rewrite(attempt, node, (now) => uncordoned(now));
  return 'done_now';
}

/** What a step cordoned, and nothing else, may be used again. */
export async function cordonBack(attempt: ObjectAttempt, step: string): Promise<ObjectFound> {
  const mark = markOf(attempt, step);
  const all = await attempt.cluster.list<KubeNode>(RESOURCES.nodes, {}, attempt.signal);
  const ours = all.filter((node) => node.metadata.annotations?.[CORDONED_BY] === mark);
  for (const node of ours)
    await rewrite(attempt, node, (now) =>
      now.metadata.annotations?.[CORDONED_BY] === mark ? uncordoned(now) : undefined,
    );
  return ours.length === 0 ? 'nothing_to_do' : 'done_now';
}

/** What a step uncordoned is cordoned again, by the step that had done it. */
export async function uncordonBack(
  attempt: ObjectAttempt,
  before: readonly KubeNode[],
): Promise<ObjectFound> {
  let changed = false;
  for (const node of before) {
    const mark = node.metadata.annotations?.[CORDONED_BY] ?? '';
    changed = (await rewrite(attempt, node, (now) => cordoned(now, mark))) || changed;
  }
  return changed ? 'done_now' : 'done_before';
}

function markOf({ context: { upgrade } }: ObjectAttempt, step: string): string {
  return `${upgrade}.${hashOf(step)}`;
}

function cordoned(node: KubeNode, mark: string): KubeNode | undefined {
  if (node.spec.unschedulable === true) return undefined;
  const annotations = { ...node.metadata.annotations, [CORDONED_BY]: mark };
  return {
    ...node,
    metadata: { ...node.metadata, annotations },
    spec: { ...node.spec, unschedulable: true },
  };
}

function uncordoned(node: KubeNode): KubeNode {
  const { [CORDONED_BY]: _mark, ...annotations } = node.metadata.annotations ?? {};
  const {
    unschedulable: _cordoned,
    taints = [],
    ...spec
  } = node.spec as KubeNode['spec'] & {
    readonly taints?: ReadonlyArray<{ readonly key: string }>;
  };
  // the node's own controller takes the taint away, too, but later: until then a pod would be refused
  const others = taints.filter(({ key }) => key !== 'node.kubernetes.io/unschedulable');
  return {
    ...node,
    metadata: { ...node.metadata, annotations },
    spec: { ...spec, ...(others.length === 0 ? {} : { taints: others }) },
  };
}

/** @returns whether it was written */
async function rewrite(
  { cluster, changes, signal }: ObjectAttempt,
  { metadata: { name } }: KubeNode,
  change: (node: KubeNode) => KubeNode | undefined,
): Promise<boolean> {
  for (;;) {
    const now = await cluster.get<KubeNode>(RESOURCES.nodes, { name }, signal);
    if (now === undefined) throw hookFailed(cluster, `there is no node ${name} any more`);
    const wanted = change(now);
    if (wanted === undefined) return false;
    try {
      await changes.replace(RESOURCES.nodes, wanted);
      return true;
    } catch (error) {
      if (!isConflict(error)) throw error;
    }
  }
}
