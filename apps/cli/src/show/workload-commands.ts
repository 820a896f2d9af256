import { assertNever } from '#kernel';
import {
  ACTIONS,
  parseRecord,
  parseService,
  type ActionInput,
  type Check,
  type Step,
  type WorkloadPlace,
} from '#contracts';
import { inShell } from './in-shell.js';
import { kubectlAt, resourceOf, workloadOf } from './kubectl.js';
import { networkCheck } from './network-check.js';
import { serviceCommands } from './service-commands.js';
import { quote } from './shell-quote.js';

/** Actions at a workload of a cluster. */
export type WorkloadAction =
  | `instance.${'assert-unchanged' | 'stop' | 'replace' | 'check' | 'stop-new' | 'restore-old' | 'remove-new' | 'remove-old'}`
  | 'hook.command'
  | 'hook.job'
  | 'hook.remove-jobs';

/** What a person types to do a step by hand, with `kubectl` and `jq`. Records are those that Liftlock writes. */
export function workloadCommands(step: Step, action: WorkloadAction): string[] {
  const input = <A extends WorkloadAction>(name: A): ActionInput<A> =>
    ACTIONS[name].input.parse(step.input) as ActionInput<A>;
  const at = (container: string): { place: WorkloadPlace; kubectl: string; resource: string } => {
    const place = workloadOf(container);
    return { place, kubectl: kubectlAt(step.target, place.namespace), resource: resourceOf(place) };
  };
  const { container: named } = step.input;
  const service = typeof named === 'string' ? parseService(named) : undefined;
  if (service !== undefined) return serviceCommands(step, action, service);
  switch (action) {
    case 'instance.assert-unchanged': {
      const { container, containerId, imageReference = '' } = input(action);
      const { kubectl, resource } = at(container);
      const fields = "'{.metadata.uid} {.spec.template.spec.containers[*].image}'";
      return [
        `${kubectl} get ${resource} -o jsonpath=${fields}`,
        `# must print ${containerId} and, among its images, ${imageReference}`,
      ];
    }
    case 'instance.stop': {
      const { container, keptName = container } = input(action);
      const { place, kubectl, resource } = at(container);
      return [keepCommand(kubectl, resource, keptName), ...downCommands(place, kubectl)];
    }
    case 'instance.replace':
      return replaceCommands(input(action), at(input(action).container));
    case 'instance.stop-new': {
      const { place, kubectl } = at(input(action).container);
      return downCommands(place, kubectl);
    }
    case 'instance.restore-old': {
      const { container, keptName, start } = input(action);
      const { place, kubectl, resource } = at(container);
      const replicas = `{op: "replace", path: "/spec/replicas", value: ${start ? '.replicas' : '0'}}`;
      const program = `[{op: "replace", path: "/spec/template", value: .template}${place.kind === 'DaemonSet' ? '' : `, ${replicas}`}]`;
      return [
        // not replace: that would write an annotation of its own
        `${kubectl} patch ${resource} --type json -p "$(${keptText(kubectl, keptName)} | jq -c ${quote(program)})"`,
      ];
    }
    case 'instance.remove-new':
    case 'instance.remove-old': {
      const { container, keptName } = input(action);
      const { kubectl } = at(container);
      return [`${kubectl} delete configmap ${quote(recordName(keptName))} --ignore-not-found`];
    }
    case 'instance.check': {
      const { container, check } = input(action);
      return [checkCommand(at(container), check)];
    }
    case 'hook.command': {
      const { container, work } = input(action);
      const { place, kubectl, resource } = at(container);
      const env = Object.entries(work.env).map(([name, value]) => inShell(`${name}=${value}`));
      const words = [...(env.length === 0 ? [] : ['env', ...env]), ...work.command.map(quote)];
      return [
        `${kubectl} exec ${resource}${ofContainer(place)} -- ${words.join(' ')}   # must exit with ${work.exitCode}`,
      ];
    }
    case 'hook.job': {
      const { container } = input(action);
      return jobCommands(step, input(action), at(container));
    }
    case 'hook.remove-jobs': {
      const { container, steps } = input(action);
      const { kubectl } = at(container);
      const names = steps.map((one) => quote(jobName(one))).join(' ');
      return [`${kubectl} delete job ${names} --cascade=foreground --wait --ignore-not-found`];
    }
    default:
      return assertNever(action, 'action of a workload');
  }
}

interface At {
  readonly place: WorkloadPlace;
  readonly kubectl: string;
  readonly resource: string;
}

const ofContainer = ({ container }: WorkloadPlace): string =>
  container === undefined ? '' : ` -c ${quote(container)}`;

function recordName(keptName: string): string {
  return parseRecord(keptName)?.name ?? keptName;
}

/** The same record that Liftlock writes: either of them may go on where the other one ended. */
function keepCommand(kubectl: string, resource: string, keptName: string): string {
  const program = quote(
    '{replicas: .spec.replicas, template: .spec.template} | with_entries(select(.value != null))',
  );
  return `${kubectl} create configmap ${quote(recordName(keptName))} --from-literal=record="$(${kubectl} get ${resource} -o json | jq -c ${program})"   # where it is there already: leave it`;
}

function keptText(kubectl: string, keptName: string): string {
  return `${kubectl} get configmap ${quote(recordName(keptName))} -o jsonpath='{.data.record}'`;
}

/** A DaemonSet has no number of pods: it is sent to nodes that there are not, with the label that Liftlock takes, too. */
const NOWHERE = 'liftlock.dev/stopped-by';

function downCommands(place: WorkloadPlace, kubectl: string): string[] {
  const resource = resourceOf(place);
  const patch = { spec: { template: { spec: { nodeSelector: { [NOWHERE]: 'hand' } } } } };
  const down =
    place.kind === 'DaemonSet'
      ? `${kubectl} patch ${resource} -p ${quote(JSON.stringify(patch))}`
      : `${kubectl} scale ${resource} --replicas=0`;
  const labels = `{{range $k, $v := .spec.selector.matchLabels}}{{$k}}={{$v}},{{end}}`;
  return [
    down,
    `PODS=$(${kubectl} get ${resource} -o go-template=${quote(labels)})`,
    `${kubectl} wait --for=delete pod -l "\${PODS%,}" --timeout=300s   # "no matching resources": none is left`,
  ];
}

function replaceCommands(
  { container, keptName, image, env, command, rolling }: ActionInput<'instance.replace'>,
  { place, kubectl, resource }: At,
): string[] {
  const of = place.container ?? '*';
  const settings = Object.entries(env).map(([name, value]) =>
    value === null ? quote(`${name}-`) : quote(`${name}=${value}`),
  );
  const remark =
    place.container === undefined
      ? `   # where its pods have several containers: in place of * the one called ${place.name}`
      : '';
  const again =
    place.kind === 'DaemonSet'
      ? `${kubectl} patch ${resource} --type json -p ${quote(JSON.stringify([{ op: 'remove', path: `/spec/template/spec/nodeSelector/${NOWHERE.replace('/', '~1')}` }]))}`
      : `${kubectl} scale ${resource} --replicas="$(${keptText(kubectl, keptName)} | jq .replicas)"`;
  return [
    ...(rolling === true ? [keepCommand(kubectl, resource, keptName)] : []),
    `${kubectl} set image ${resource} ${quote(`${of}=${image.digest ?? image.reference}`)}${remark}`,
    ...(settings.length === 0
      ? []
      : [`${kubectl} set env ${resource} -c ${quote(of)} ${settings.join(' ')}`]),
    ...(command === undefined
      ? []
      : [`${kubectl} edit ${resource}   # args of ${container}: ${JSON.stringify(command)}`]),
    ...(rolling === true ? [] : [again]),
  ];
}

function checkCommand({ place, kubectl, resource }: At, check: Check): string {
  switch (check.type) {
    case 'http':
    case 'tcp':
      return networkCheck(check);
    case 'log':
      return check.patterns
        .map(
          (pattern) =>
            `${kubectl} logs ${resource}${ofContainer(place)} | grep -E ${quote(pattern)}`,
        )
        .join(' && ');
    case 'health':
      return `${kubectl} rollout status ${resource} --timeout=${Math.ceil(check.deadlineSeconds)}s`;
    case 'command':
      return `${kubectl} exec ${resource}${ofContainer(place)} -- ${check.command.map(quote).join(' ')}   # must exit with ${check.exitCode}`;
    case 'running':
      return `${kubectl} get ${resource} -o jsonpath=${quote(readyField(place))}   # must print at least 1`;
    default:
      return assertNever(check, 'check');
  }
}

function readyField({ kind }: WorkloadPlace): string {
  return kind === 'DaemonSet' ? '{.status.numberReady}' : '{.status.readyReplicas}';
}

/** A name that tells which step it was, short enough for the label that its pods get. */
function jobName(stepId: string): string {
  const words = stepId.toLowerCase().replaceAll(/[^a-z0-9]+/g, '-');
  return `by-hand-${words.slice(-40).replace(/^-+/, '')}`;
}

/** From the workload's own template, so that it has its volumes, its service account, and what pulls its image. */
function jobCommands(
  step: Step,
  { image, work }: ActionInput<'hook.job'>,
  { place, kubectl, resource }: At,
): string[] {
  const name = jobName(step.id);
  const env = Object.entries(work.env);
  const args = env.map(([, value], index) => `--arg e${index} ${inShell(value)} `).join('');
  const [uid, gid] = work.user?.split(':') ?? [];
  const security = {
    ...(uid === undefined ? {} : { runAsUser: Number(uid) }),
    ...(gid === undefined ? {} : { runAsGroup: Number(gid) }),
  };
  const container = {
    name: 'job',
    image: image.digest ?? image.reference,
    ...(work.entrypoint === undefined ? {} : { command: work.entrypoint }),
    ...(work.command === undefined ? {} : { args: work.command }),
    ...(uid === undefined ? {} : { securityContext: security }),
  };
  const variables = env
    .map(([variable], index) => `{name: ${JSON.stringify(variable)}, value: $e${index}}`)
    .join(', ');
  const mounts = work.volumesFrom
    ? `.volumeMounts = ($of.containers | ${place.container === undefined ? '.[0]' : `map(select(.name == ${JSON.stringify(place.container)}))[0]`} | .volumeMounts // [])`
    : '.';
  const program =
    `.spec.template.spec as $of | {apiVersion: "batch/v1", kind: "Job", metadata: {name: ${JSON.stringify(name)}}, ` +
    `spec: {backoffLimit: 0, template: {spec: {restartPolicy: "Never", serviceAccountName: ($of.serviceAccountName // "default"), ` +
    `imagePullSecrets: ($of.imagePullSecrets // []), volumes: ${work.volumesFrom ? '($of.volumes // [])' : '[]'}, ` +
    `hostNetwork: ${work.network === 'host'}, ` +
    `containers: [${JSON.stringify(container)} | .env = [${variables}] | ${mounts}]}}}}`;
  return [
    `${kubectl} get ${resource} -o json | jq ${args}${quote(program)} | ${kubectl} create -f -`,
    `${kubectl} wait --for=condition=complete job/${name} --timeout=${step.timeoutSeconds}s`,
    `${kubectl} logs job/${name}`,
  ];
}
