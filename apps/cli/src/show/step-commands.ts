import { assertNever } from '#kernel';
import { ALL_OF_IT, ALL_OF_IT_BACK, inRoot, workloadDataCommands } from './data-commands.js';
import { commandInContainer, hookCommands } from './hook-commands.js';
import { networkCheck } from './network-check.js';
import { objectCommands } from './object-commands.js';
import { quote } from './shell-quote.js';
import { workloadCommands } from './workload-commands.js';
import {
  ACTIONS,
  isActionName,
  makerOf,
  type ActionInput,
  type ActionName,
  type Check,
  type CommandWork,
  type Step,
} from '#contracts';

/** Where a person notes the restart policy, beside the runbook. */
const policyFile = (target: Step['target'], container: string): string =>
  quote(`${target.name}-${container}.restart-policy`);

const ENVIRONMENT = `--format '{{range .Config.Env}}{{println .}}{{end}}'`;
const OPTIONS = `--format '{{if .HostConfig.Privileged}} --privileged{{end}}{{range .HostConfig.CapAdd}} --cap-add {{.}}{{end}}{{range $port, $all := .HostConfig.PortBindings}}{{range $all}} -p {{with .HostIp}}{{.}}:{{end}}{{.HostPort}}:{{$port}}{{end}}{{end}}'`;

/** Options of `docker run` that take over what people set most: restart policy, network, ports, privileges, environment but for the old image's own. */
function asBefore(
  docker: string,
  target: Step['target'],
  { container, keptName, env }: ActionInput<'instance.replace'>,
): string[] {
  const old = quote(keptName);
  const image = `"$(${docker} inspect --format '{{.Image}}' ${old})"`;
  const unwanted = Object.keys(env)
    .filter((name) => env[name] === null)
    .map((name) => ` | grep -v ${quote(`^${name}=`)}`);
  return [
    `--restart "$(cat ${policyFile(target, container)})"`,
    `--network "$(${docker} inspect --format '{{.HostConfig.NetworkMode}}' ${old})"`,
    `$(${docker} inspect ${OPTIONS} ${old})`,
    `--env-file <(${docker} inspect ${ENVIRONMENT} ${old} | grep -vxFf <(${docker} image inspect ${ENVIRONMENT} ${image})${unwanted.join('')})`,
  ];
}

/** What a person types, into bash, to do a step by hand, with the platform's own command line. */
export function commandsOf(step: Step): string[] {
  const { action, target } = step;
  if (!isActionName(action)) return [`# ${action}: no command is known`];
  return target.driver === 'kubernetes'
    ? clusterCommands(step, action)
    : engineCommands(step, action);
}

/** At a cluster: with `kubectl`, and otherwise as everywhere. */
function clusterCommands(step: Step, action: ActionName): string[] {
  switch (action) {
    case 'image.prepare': {
      const { image } = ACTIONS[action].input.parse(step.input);
      return [
        `# nothing: each node pulls ${image.digest ?? image.reference} when a pod of it starts there`,
      ];
    }
    case 'instance.assert-unchanged':
    case 'instance.stop':
    case 'instance.replace':
    case 'instance.check':
    case 'instance.stop-new':
    case 'instance.restore-old':
    case 'instance.remove-new':
    case 'instance.remove-old':
    case 'hook.command':
    case 'hook.job':
    case 'hook.remove-jobs':
      return workloadCommands(step, action);
    case 'data.snapshot':
    case 'data.restore':
      return workloadDataCommands(step, action);
    default:
      return engineCommands(step, action);
  }
}

/**
 * With Docker's own command line. `$BACKUPS` is a folder of the engine's host; `$HELPER` an image with sh, find and GNU tar.
 */
function engineCommands(step: Step, action: ActionName): string[] {
  const { target } = step;
  const docker = `docker -H ${quote(target.endpoint)}`;
  const input = <A extends keyof typeof ACTIONS>(name: A): ActionInput<A> =>
    ACTIONS[name].input.parse(step.input) as ActionInput<A>;
  switch (action) {
    case 'instance.assert-unchanged': {
      const { container, imageId, containerId } = input(action);
      return [
        `${docker} inspect --format '{{.Id}} {{.Image}}' ${quote(container)}`,
        `# must print ${containerId} ${imageId}`,
      ];
    }
    case 'image.mirror': {
      const { source, archive, digest, target, tag, platforms } = input(action);
      const from =
        archive === undefined
          ? `${source.replace(/@.*$/, '')}@${digest}`
          : `oci-archive:${archive}:${digest}`;
      const only = platforms.map((platform) => ` --platform ${platform}`).join('');
      return [`liftlock mirror copy${only} ${quote(from)} ${quote(`${target}:${tag}`)}`];
    }
    case 'image.prepare': {
      const { image, archive } = input(action);
      if (archive !== undefined) return [`${docker} load -i ${quote(archive)}`];
      return [
        `${docker} image inspect --format '{{.Id}}' ${quote(image.id ?? image.digest ?? image.reference)} || ${docker} pull ${quote(image.digest ?? image.reference)}`,
      ];
    }
    case 'instance.stop': {
      const { container, stopTimeoutSeconds: seconds } = input(action);
      return [
        `${docker} inspect --format '{{.HostConfig.RestartPolicy.Name}}:{{.HostConfig.RestartPolicy.MaximumRetryCount}}' ${quote(container)} > ${policyFile(target, container)}   # what comes back later`,
        `${docker} update --restart=no ${quote(container)}`,
        `${docker} stop ${seconds === undefined ? '' : `-t ${seconds} `}${quote(container)}`,
      ];
    }
    case 'data.snapshot': {
      const { container, paths, backup, consistency, hooks } = input(action);
      const pause = consistency === 'paused';
      const command = (work: CommandWork | undefined): string[] =>
        work === undefined ? [] : [commandInContainer(docker, container, work)];
      return [
        ...command(hooks?.before),
        ...(pause ? [`${docker} pause ${quote(container)}`] : []),
        `${docker} run --rm --volumes-from ${quote(container)} -v "$BACKUPS":/backups "$HELPER" tar -C / ${ALL_OF_IT} -cpf /backups/${backup}.tar ${paths.map(inRoot).join(' ')}`,
        // whatever became of it
        ...(pause
          ? [`${docker} unpause ${quote(container)}   # also when the command before failed`]
          : []),
        ...command(hooks?.after),
      ];
    }
    case 'data.restore': {
      const { container, keptName, paths, backup } = input(action);
      const empty = paths.map((path) => `find ${quote(path)} -mindepth 1 -delete`).join(' && ');
      return [
        `# only when nothing that mounts ${paths.join(', ')} runs, and only if the new version ran`,
        `${docker} run --rm --volumes-from "$(${docker} container inspect ${quote(keptName)} > /dev/null 2>&1 && echo ${quote(keptName)} || echo ${quote(container)})" -v "$BACKUPS":/backups "$HELPER" sh -c ${quote(`${empty} && tar -C / ${ALL_OF_IT_BACK} -xpf /backups/${backup}.tar`)}`,
      ];
    }
    case 'instance.replace': {
      const { container, keptName, image, env, command = [] } = input(action);
      const old = quote(keptName);
      return [
        `${docker} rename ${quote(container)} ${old}`,
        [
          `${docker} run -d --name ${quote(container)} --volumes-from ${old}`,
          ...asBefore(docker, target, input(action)),
          ...Object.entries(env).flatMap(([name, value]) =>
            value === null ? [] : [`-e ${quote(`${name}=${value}`)}`],
          ),
          quote(image.id ?? image.digest ?? image.reference),
          ...command.map(quote),
        ].join(' '),
        `# what else was asked of the old one (${docker} inspect ${old}), such as limits, devices, a command: give it to docker run, too`,
      ];
    }
    case 'instance.check': {
      const { container, check } = input(action);
      return [checkCommand(docker, container, check)];
    }
    case 'instance.stop-new':
      return [`${docker} stop ${quote(input(action).container)}`];
    case 'instance.restore-old': {
      const { container, keptName, start } = input(action);
      return [
        `${docker} rename ${quote(container)} ${quote(`${container}-failed`)}`,
        `${docker} rename ${quote(keptName)} ${quote(container)}`,
        ...(start
          ? [
              `${docker} start ${quote(container)}`,
              `${docker} update --restart="$(cat ${policyFile(target, container)})" ${quote(container)}`,
            ]
          : []),
      ];
    }
    case 'instance.remove-new':
      return [`${docker} rm ${quote(`${input(action).container}-failed`)}`];
    case 'instance.remove-old':
      return [`${docker} rm ${quote(input(action).keptName)}`];
    case 'file.prepare':
      return input(action).files.map(
        ({ path }) => `# see that ${path} can be written, and is not there`,
      );
    case 'file.write':
      return input(action).files.map(
        ({ path }) =>
          `${docker} cp FILE ${quote(`${input(action).container}:${path}`)}   # its content and secrets: see the application's document`,
      );
    case 'file.remove': {
      const { container, paths } = input(action);
      return [
        `${docker} run --rm --volumes-from ${quote(container)} "$HELPER" rm -f ${paths.map(quote).join(' ')}`,
      ];
    }
    case 'hook.object':
    case 'hook.object-back':
    case 'hook.forget-objects':
      return objectCommands(step, action);
    case 'hook.command':
    case 'hook.http':
    case 'hook.job':
    case 'hook.remove-jobs':
    case 'hook.edit':
    case 'hook.forget-edits':
      return hookCommands(docker, step, action);
    default:
      return assertNever(action, 'action');
  }
}

/** What stands in a step for something that only exists once it runs. */
export function remarkOf(step: Step): string | undefined {
  const { containerId } = step.input;
  const maker = typeof containerId === 'string' ? makerOf(containerId) : undefined;
  return maker === undefined ? undefined : `the container that ${maker} made`;
}

function checkCommand(docker: string, container: string, check: Check): string {
  switch (check.type) {
    case 'http':
    case 'tcp':
      return networkCheck(check);
    case 'log':
      return check.patterns
        .map((pattern) => `${docker} logs ${quote(container)} 2>&1 | grep -E ${quote(pattern)}`)
        .join(' && ');
    case 'health':
      return `${docker} inspect --format '{{.State.Health.Status}}' ${quote(container)}   # must print healthy`;
    case 'command':
      return `${docker} exec ${quote(container)} ${check.command.map(quote).join(' ')}   # must exit with ${check.exitCode}`;
    case 'running':
      return `${docker} inspect --format '{{.State.Running}}' ${quote(container)}   # must print true`;
    default:
      return assertNever(check, 'check');
  }
}
