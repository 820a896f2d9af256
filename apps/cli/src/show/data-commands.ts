import { assertNever } from '#kernel';
import { ACTIONS, type Step, type WorkloadPlace } from '#contracts';
import { kubectlAt, resourceOf, workloadOf } from './kubectl.js';
import { quote } from './shell-quote.js';

/** With times, owners, modes, attributes and access lists as they are: a restore that loses some is none. */
export const ALL_OF_IT =
  "--format=posix --numeric-owner --xattrs --xattrs-include='*' --acls --sparse";
export const ALL_OF_IT_BACK = "--numeric-owner --same-owner --xattrs --xattrs-include='*' --acls";

/** A path as tar takes it below a folder. */
export const inRoot = (path: string): string => quote(path.replace(/^\/+/, '') || '.');

const POD = 'liftlock-by-hand';

/** Of a workload's data: on a share where that is mounted, else by a pod that mounts what the workload's pods do. */
export function workloadDataCommands(
  step: Step,
  action: 'data.snapshot' | 'data.restore',
): string[] {
  switch (action) {
    case 'data.snapshot': {
      const { container, paths, folder, backup } = ACTIONS[action].input.parse(step.input);
      const file = `"$BACKUPS"/${backup}.tar`;
      const pack = (root: string, to: string): string =>
        `tar -C ${root} ${ALL_OF_IT} -cpf ${to} ${paths.map(inRoot).join(' ')}`;
      if (folder !== undefined) return [`# where ${folder} is mounted`, pack(quote(folder), file)];
      return inPod(step, container, (exec) => [`${exec} -- ${pack('/', '-')} > ${file}`]);
    }
    case 'data.restore': {
      const { container, paths, folder, backup } = ACTIONS[action].input.parse(step.input);
      const file = `"$BACKUPS"/${backup}.tar`;
      const empty = (below: string): string =>
        `find ${paths.map((path) => quote(`${below}${path}`)).join(' ')} -mindepth 1 -delete`;
      const unpack = (root: string, from: string): string =>
        `tar -C ${root} ${ALL_OF_IT_BACK} -xpf ${from}`;
      const when = 'only if the new version ran';
      if (folder !== undefined)
        return [
          `# where ${folder} is mounted; only when nothing that mounts these folders runs, and ${when}`,
          empty(folder),
          unpack(quote(folder), file),
        ];
      return [
        `# only when nothing that mounts ${paths.join(', ')} runs, and ${when}`,
        ...inPod(step, container, (exec) => [
          `${exec} -- ${empty('')}`,
          `${exec} -i -- ${unpack('/', '-')} < ${file}`,
        ]),
      ];
    }
    default:
      return assertNever(action, 'action on data');
  }
}

/** By a pod with the volumes of the workload's, those of a StatefulSet's first one among them, that does nothing by itself. */
function inPod({ target }: Step, container: string, work: (exec: string) => string[]): string[] {
  const place = workloadOf(container);
  const kubectl = kubectlAt(target, place.namespace);
  return [
    `${kubectl} get ${resourceOf(place)} -o json | jq --arg image "$HELPER" ${quote(podProgram(place))} | ${kubectl} create -f -`,
    `${kubectl} wait --for=condition=Ready --timeout=300s pod/${POD}`,
    ...work(`${kubectl} exec ${POD}`),
    `${kubectl} delete pod ${POD} --wait`,
  ];
}

function podProgram({ name, container }: WorkloadPlace): string {
  const chosen = `[.[] | select(.name == ${JSON.stringify(container ?? name)})] + . | .[0]`;
  const pod = {
    claims: `[.spec.volumeClaimTemplates[]? | {name: .metadata.name, persistentVolumeClaim: {claimName: (.metadata.name + "-" + ${JSON.stringify(name)} + "-0")}}]`,
    helper: `{name: "helper", image: $image, command: ["sleep", "86400"], securityContext: {runAsUser: 0}, volumeMounts: [.volumeMounts[]? | .readOnly = false]}`,
    kept: '{nodeSelector, tolerations, affinity, imagePullSecrets} | with_entries(select(.value != null))',
  };
  return (
    `${pod.claims} as $claims | .spec.template.spec | {apiVersion: "v1", kind: "Pod", metadata: {name: "${POD}"}, ` +
    `spec: ((${pod.kept}) + {restartPolicy: "Never", volumes: ((.volumes // []) + $claims), containers: [.containers | ${chosen} | ${pod.helper}]})}`
  );
}
