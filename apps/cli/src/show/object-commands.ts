import { assertNever } from '#kernel';
import { ACTIONS, type ActionInput, type ObjectWork, type Step } from '#contracts';
import { inShell } from './in-shell.js';
import { keepCommand, keptFile, kubectlAt, WITHOUT_SERVER_FIELDS } from './kubectl.js';
import { quote } from './shell-quote.js';

export type ObjectAction = 'hook.object' | 'hook.object-back' | 'hook.forget-objects';

/** What a person types to do by hand what a hook does to objects of a cluster, and to take it back. */
export function objectCommands(step: Step, action: ObjectAction): string[] {
  const input = <A extends ObjectAction>(name: A): ActionInput<A> =>
    ACTIONS[name].input.parse(step.input) as ActionInput<A>;
  switch (action) {
    case 'hook.object': {
      const { namespace, work, recorded } = input(action);
      const at = kubectlAt(step.target, namespace);
      return [...(recorded ? keep(at, work, step.id) : []), ...forward(at, work)];
    }
    case 'hook.object-back': {
      const { namespace, work, undoes } = input(action);
      return back(kubectlAt(step.target, namespace), work, undoes);
    }
    case 'hook.forget-objects': {
      const { steps } = input(action);
      return [
        `rm -f ${steps.map(keptFile).join(' ')}   # and what is named …-liftlock-old in the cluster`,
      ];
    }
    default:
      return assertNever(action, 'object action');
  }
}

const isSecret = (object: string): boolean => object.startsWith('Secret/');
const nameOf = (object: string): string => object.slice(object.indexOf('/') + 1);
const copyOf = (object: string): string => `${nameOf(object)}-liftlock-old`;

/** A Secret is kept as a copy in its namespace: a file of it would be one more place that knows it. */
function copySecret(kubectl: string, from: string, to: string): string {
  const rename = quote(`s/^  name: ${from}$/  name: ${to}/`);
  return `${kubectl} get secret ${quote(from)} -o yaml | ${WITHOUT_SERVER_FIELDS} | sed ${rename} | ${kubectl} create -f -`;
}

function keep(kubectl: string, work: ObjectWork, stepId: string): string[] {
  if (work.type === 'apply')
    return [
      `${built(work.path)} | ${kubectl} get -f - -o yaml --ignore-not-found | sed '/^ \\{2,4\\}\\(uid\\|resourceVersion\\|creationTimestamp\\|generation\\): /d' > ${keptFile(stepId)}`,
    ];
  if (!('object' in work)) {
    const nodes = `-o custom-columns=NAME:.metadata.name,CORDONED:.spec.unschedulable`;
    return [`${nodesGet(kubectl, work.nodes)} ${nodes}   # note which are cordoned already`];
  }
  if (isSecret(work.object)) return [copySecret(kubectl, nameOf(work.object), copyOf(work.object))];
  return [keepCommand(kubectl, quote(work.object), keptFile(stepId))];
}

function forward(kubectl: string, work: ObjectWork): string[] {
  switch (work.type) {
    case 'merge':
      return [mergePatch(kubectl, work.object, { data: work.data })];
    case 'secret': {
      const name = quote(nameOf(work.object));
      const values = Object.entries(work.data).flatMap(([key, value]) =>
        value === null ? [] : [`--from-literal=${inShell(`${key}=${value}`)}`],
      );
      const create = `create secret generic ${name} ${values.join(' ')}`;
      if (work.replace)
        return [`${kubectl} delete secret ${name} --ignore-not-found`, `${kubectl} ${create}`];
      const gone = Object.entries(work.data).filter(([, value]) => value === null);
      return [
        ...(values.length === 0
          ? []
          : [
              `${kubectl} patch secret ${name} --type merge -p "$(${kubectl} ${create} --dry-run=client -o json)"`,
            ]),
        ...(gone.length === 0
          ? []
          : [mergePatch(kubectl, work.object, { data: Object.fromEntries(gone) })]),
      ];
    }
    case 'delete':
      return [
        `${kubectl} delete ${quote(work.object)} --cascade=foreground --wait --ignore-not-found`,
      ];
    case 'apply': {
      const force = work.force ? ' --force-conflicts' : '';
      return [
        `${built(work.path)} | ${kubectl} apply --server-side --field-manager=liftlock${force} -f -`,
      ];
    }
    case 'patch': {
      const { object, patch, until, deadlineSeconds } = work;
      const change = Object.keys(patch).length === 0 ? [] : [mergePatch(kubectl, object, patch)];
      if (until === undefined) return change;
      const wanted =
        'condition' in until
          ? `condition=${until.condition}${until.status === 'True' ? '' : `=${until.status}`}`
          : `jsonpath=${until.jsonPath}=${until.equals}`;
      const wait = `${kubectl} wait ${quote(`--for=${wanted}`)} --timeout=${deadlineSeconds}s ${quote(object)}`;
      return [...change, wait];
    }
    case 'cordon':
    case 'uncordon':
      return [`${kubectl} ${work.type} ${nodesText(work.nodes)}`];
    case 'drain': {
      const options = [
        '--ignore-daemonsets',
        ...(work.deleteEmptyDirData ? ['--delete-emptydir-data'] : []),
        ...(work.evictUnmanaged ? ['--force'] : []),
        ...(work.gracePeriodSeconds === undefined
          ? []
          : [`--grace-period=${work.gracePeriodSeconds}`]),
        `--timeout=${work.deadlineSeconds}s`,
      ];
      return [`${kubectl} drain ${nodesText(work.nodes)} ${options.join(' ')}`];
    }
    default:
      return assertNever(work, 'object work');
  }
}

function back(kubectl: string, work: ObjectWork, undoes: string): string[] {
  switch (work.type) {
    case 'merge': {
      // not replace: that would write an annotation of its own
      const patch = `[{op: "add", path: "/data", value: (.data // {})}]`;
      const kept = `${kubectl} create --dry-run=client -o json -f ${keptFile(undoes)}`;
      return [
        `${kubectl} patch ${quote(work.object)} --type json -p "$(${kept} | jq -c ${quote(patch)})"`,
      ];
    }
    case 'patch':
      return [`${kubectl} replace -f ${keptFile(undoes)}`];
    case 'secret':
      return secretBack(kubectl, work.object);
    case 'delete':
      return isSecret(work.object)
        ? secretBack(kubectl, work.object)
        : [`${kubectl} create -f ${keptFile(undoes)}`];
    case 'apply':
      return [
        `${kubectl} replace -f ${keptFile(undoes)}   # where it holds anything`,
        // a person decides which: all that was there before stays
        `# then delete what it made, and the file has not: ${built(work.path)} | ${kubectl} get -f - -o name`,
      ];
    case 'cordon':
    case 'drain':
      return [
        `${kubectl} uncordon ${nodesText(work.nodes)}   # only those that were not cordoned before`,
      ];
    case 'uncordon':
      return [`${kubectl} cordon ${nodesText(work.nodes)}   # only those that were uncordoned`];
    default:
      return assertNever(work, 'object work');
  }
}

function secretBack(kubectl: string, object: string): string[] {
  return [
    `${kubectl} delete secret ${quote(nameOf(object))} --ignore-not-found`,
    `${copySecret(kubectl, copyOf(object), nameOf(object))}   # where there was one before`,
    `${kubectl} delete secret ${quote(copyOf(object))} --ignore-not-found`,
  ];
}

function mergePatch(kubectl: string, object: string, patch: object): string {
  return `${kubectl} patch ${quote(object)} --type merge -p ${quote(JSON.stringify(patch))}`;
}

/** A file of manifests is taken as it is, a folder is built. */
function built(path: string): string {
  return /\.(ya?ml|json)$/.test(path) ? `cat ${quote(path)}` : `kubectl kustomize ${quote(path)}`;
}

type Nodes = Extract<ObjectWork, { type: 'drain' }>['nodes'];

function nodesText({ names, selector }: Nodes): string {
  if (names !== undefined) return names.map(quote).join(' ');
  const labels = Object.entries(selector ?? {}).map(([key, value]) => `${key}=${value}`);
  return `-l ${quote(labels.join(','))}`;
}

function nodesGet(kubectl: string, nodes: Nodes): string {
  return `${kubectl} get nodes ${nodesText(nodes)}`;
}
