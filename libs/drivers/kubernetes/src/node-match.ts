import type { KubeNode, PodSpec, Toleration } from './objects.js';

interface Expression {
  readonly key: string;
  readonly operator: string;
  readonly values?: readonly string[];
}
interface Term {
  readonly matchExpressions?: readonly Expression[];
  readonly matchFields?: readonly Expression[];
}

/** Whether the scheduler may put such a pod on a node, as far as labels and taints decide; room is another matter. */
export function mayRunOn(spec: PodSpec, node: KubeNode, isDaemon: boolean): boolean {
  const labels = node.metadata.labels ?? {};
  const { nodeSelector = {}, affinity, tolerations = [] } = spec;
  const { nodeAffinity } = (affinity ?? {}) as {
    nodeAffinity?: {
      requiredDuringSchedulingIgnoredDuringExecution?: { nodeSelectorTerms?: readonly Term[] };
    };
  };
  const terms = nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms;
  if (node.spec.unschedulable === true && !isDaemon) return false;
  return (
    Object.entries(nodeSelector).every(([key, value]) => labels[key] === value) &&
    (terms === undefined || terms.some((term) => matches(term, node))) &&
    (node.spec.taints ?? [])
      .filter(({ effect }) => effect === 'NoSchedule' || effect === 'NoExecute')
      // what the cluster itself puts on nodes that are not ready, DaemonSets bear with
      .filter(({ key }) => !(isDaemon && key.startsWith('node.kubernetes.io/')))
      .every((taint) => tolerations.some((one) => tolerates(one, taint)))
  );
}

function matches({ matchExpressions = [], matchFields = [] }: Term, node: KubeNode): boolean {
  const labels = node.metadata.labels ?? {};
  // a term with neither matches nothing
  if (matchExpressions.length + matchFields.length === 0) return false;
  return (
    matchExpressions.every((one) => holds(one, labels[one.key])) &&
    matchFields.every((one) => holds(one, node.metadata.name))
  );
}

function holds({ operator, values = [] }: Expression, value: string | undefined): boolean {
  switch (operator) {
    case 'In':
      return value !== undefined && values.includes(value);
    case 'NotIn':
      return value === undefined || !values.includes(value);
    case 'Exists':
      return value !== undefined;
    case 'DoesNotExist':
      return value === undefined;
    case 'Gt':
      return Number(value) > Number(values[0]);
    case 'Lt':
      return Number(value) < Number(values[0]);
    default:
      return false;
  }
}

function tolerates(
  { key, operator = 'Equal', value = '', effect }: Toleration,
  taint: { readonly key: string; readonly value?: string; readonly effect?: string },
): boolean {
  if (effect !== undefined && effect !== '' && effect !== taint.effect) return false;
  if (key === undefined || key === '') return operator === 'Exists';
  return key === taint.key && (operator === 'Exists' || value === (taint.value ?? ''));
}
