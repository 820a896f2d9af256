import { assertNever } from '#kernel';
import {
  ACTIONS,
  parseRecord,
  templateIn,
  type ActionInput,
  type ServicePlace,
  type Step,
} from '#contracts';
import { kubectlAt } from './kubectl.js';
import { networkCheck } from './network-check.js';
import { quote } from './shell-quote.js';
import type { WorkloadAction } from './workload-commands.js';

/** What a person types to do a step at a service of k0rdent's by hand, with `kubectl` and `jq`. Records are those that Liftlock writes. */
export function serviceCommands(step: Step, action: WorkloadAction, place: ServicePlace): string[] {
  const input = <A extends WorkloadAction>(name: A): ActionInput<A> =>
    ACTIONS[name].input.parse(step.input) as ActionInput<A>;
  const kubectl = kubectlAt(step.target, place.namespace);
  const by = new ServiceShell(kubectl, place);
  switch (action) {
    case 'instance.assert-unchanged': {
      const { containerId, imageReference = '' } = input(action);
      return [
        `${by.get()} | jq -r ${quote(`.metadata.uid, (${by.all} | ${by.it} | .template)`)}`,
        `# must print ${containerId} and ${templateIn(imageReference) ?? imageReference}`,
      ];
    }
    case 'instance.replace': {
      const { keptName, image, chain } = input(action);
      const template = templateIn(image.reference) ?? image.reference;
      const program = quote(
        `${by.all} | ${by.it} | {template, templateChain, version} | with_entries(select(.value != null))`,
      );
      return [
        `${kubectl} create configmap ${recordOf(keptName)} --from-literal=record="$(${by.get()} | jq -c ${program})"   # where it is there already: leave it`,
        ...by.along(chain, template),
        by.set(`.template = ${JSON.stringify(template)} | del(.version)`),
      ];
    }
    case 'instance.restore-old': {
      const { keptName, chain } = input(action);
      return [
        `RECORD=$(${kubectl} get configmap ${recordOf(keptName)} -o jsonpath='{.data.record}')`,
        ...by.along(chain, 'the template of $RECORD'),
        by.set('.template = $record.template | del(.version)', true),
        `${by.get()} | jq ${quote(by.status)}   # wait until it is Deployed again`,
        by.set('del(.templateChain, .version) | . + $record', true),
      ];
    }
    case 'instance.check': {
      const { check } = input(action);
      return [
        `${by.get()} | jq ${quote(by.status)}   # must be Deployed, with the new template${place.holder === 'MultiClusterService' ? ', in each ClusterDeployment that it selects' : ''}`,
        ...(check.type === 'http' || check.type === 'tcp' ? [networkCheck(check)] : []),
      ];
    }
    case 'instance.remove-new':
    case 'instance.remove-old':
      return [`${kubectl} delete configmap ${recordOf(input(action).keptName)} --ignore-not-found`];
    case 'instance.stop':
    case 'instance.stop-new':
    case 'hook.command':
    case 'hook.job':
    case 'hook.remove-jobs':
      return ['# nothing: what k0rdent deploys has no pods in this cluster'];
    default:
      return assertNever(action, 'action of a service');
  }
}

/** How the shell finds and changes one entry of an object. */
class ServiceShell {
  readonly all = '.spec.serviceSpec.services[]';
  readonly it: string;
  readonly status: string;
  private readonly object: string;
  private readonly isIt: string;

  constructor(
    private readonly kubectl: string,
    { holder, object, name, releaseNamespace }: ServicePlace,
  ) {
    this.object = quote(`${holder.toLowerCase()}/${object}`);
    this.isIt = `.name == ${JSON.stringify(name)} and (.namespace // "default") == ${JSON.stringify(releaseNamespace)}`;
    this.it = `select(${this.isIt})`;
    this.status = `.status.services[] | ${this.it}`;
  }

  get(): string {
    return `${this.kubectl} get ${this.object} -o json`;
  }

  /** @param takesRecord whether the program reads `$record` */
  set(program: string, takesRecord = false): string {
    const services = `[${this.all} | if ${this.isIt} then (${program}) else . end]`;
    // only as it was read
    const changed = `{metadata: {resourceVersion: .metadata.resourceVersion}, spec: {serviceSpec: {services: ${services}}}}`;
    const record = takesRecord ? '--argjson record "$RECORD" ' : '';
    return `${this.kubectl} patch ${this.object} --type merge -p "$(${this.get()} | jq -c ${record}${quote(changed)})"`;
  }

  /** The chain that allows it is attached first. */
  along(chain: string | undefined, template: string): string[] {
    return [
      ...(chain === undefined ? [] : [this.set(`.templateChain = ${JSON.stringify(chain)}`)]),
      `${this.get()} | jq ${quote('.status.servicesUpgradePaths')}   # wait until it names ${template}`,
    ];
  }
}

function recordOf(keptName: string): string {
  return quote(parseRecord(keptName)?.name ?? keptName);
}
