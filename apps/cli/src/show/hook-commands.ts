import { assertNever } from '#kernel';
import { ACTIONS, type ActionInput, type CommandWork, type EditWork, type Step } from '#contracts';
import { inShell } from './in-shell.js';
import { quote } from './shell-quote.js';

type HookAction =
  | 'hook.command'
  | 'hook.http'
  | 'hook.job'
  | 'hook.remove-jobs'
  | 'hook.edit'
  | 'hook.forget-edits';

/** What a person types to perform a hook by hand; `${LIFTLOCK_SECRET_…}` is that person's to set. */
export function hookCommands(docker: string, step: Step, action: HookAction): string[] {
  const input = <A extends HookAction>(name: A): ActionInput<A> =>
    ACTIONS[name].input.parse(step.input) as ActionInput<A>;
  switch (action) {
    case 'hook.command': {
      const { container, work } = input(action);
      return [commandInContainer(docker, container, work)];
    }
    case 'hook.http': {
      const { method, url, headers, body, status } = input(action).work;
      const said = Object.entries(headers).map(
        ([name, value]) => `-H ${inShell(`${name}: ${value}`)} `,
      );
      // raw: a body that begins with @ is no file
      const data = body === undefined ? '' : `--data-raw ${inShell(body)} `;
      // told to use the method, curl would wait for a body that HEAD never has
      const how = method === 'HEAD' ? '--head' : `-X ${method}`;
      return [
        `curl -sS -o /dev/null -w '%{http_code}\\n' ${how} ${said.join('')}${data}${quote(url)}   # must print ${status ?? '2xx'}`,
      ];
    }
    case 'hook.job': {
      const { container, image, work } = input(action);
      const user = work.user === undefined ? '' : `-u ${quote(work.user)} `;
      const network =
        work.network === undefined
          ? `"$(${docker} container inspect --format '{{.HostConfig.NetworkMode}}' ${quote(container)})"`
          : quote(work.network);
      const volumes = work.volumesFrom ? `--volumes-from ${quote(container)} ` : '';
      const [entry, ...more] = work.entrypoint ?? [];
      const entrypoint = entry === undefined ? '' : `--entrypoint ${quote(entry)} `;
      const words = [...more, ...(work.command ?? [])].map(quote).join(' ');
      return [
        `${docker} run --rm ${user}--network ${network} ${volumes}${entrypoint}${variables(work.env)}${quote(image.id ?? image.digest ?? image.reference)} ${words}   # must exit with 0`,
      ];
    }
    case 'hook.remove-jobs':
      return ['# nothing: the jobs above remove themselves'];
    case 'hook.edit': {
      const { container, work } = input(action);
      return work.replace.map((one) => editCommand(docker, container, work.path, one));
    }
    case 'hook.forget-edits':
      return ['# nothing: what is edited by hand is written down nowhere'];
    default:
      return assertNever(action, 'hook');
  }
}

export function commandInContainer(docker: string, container: string, work: CommandWork): string {
  const user = work.user === undefined ? '' : `-u ${quote(work.user)} `;
  return `${docker} exec ${user}${variables(work.env)}${quote(container)} ${work.command.map(quote).join(' ')}   # must exit with ${work.exitCode}`;
}

/** `cat` back into the file keeps its mode and owner. Several lines that follow one another are a person's to find. */
function editCommand(
  docker: string,
  container: string,
  path: string,
  { line, with: other }: EditWork['replace'][number],
): string {
  const [before, after] = [[line].flat(), [other].flat()].map((all) => all.join('\n'));
  const run = `${docker} run --rm --volumes-from ${quote(container)}`;
  if (before === undefined || after === undefined || before.includes('\n'))
    return `${run} -it "$HELPER" vi ${quote(path)}   # in place of ${JSON.stringify(before)} write ${JSON.stringify(after)}`;
  const script =
    `awk '$0 == ENVIRON["A"] { $0 = ENVIRON["B"] } 1' "$F" > "$F.new" && ` +
    'cat "$F.new" > "$F" && rm "$F.new"';
  const values = Object.entries({ F: path, A: before, B: after });
  const env = values.map(([name, value]) => `-e ${quote(`${name}=${value}`)} `).join('');
  return `${run} ${env}"$HELPER" sh -c ${quote(script)}   # the line must be there once; of a folder that is mounted to be read only, edit the file on the host`;
}

function variables(env: Readonly<Record<string, string>>): string {
  return Object.entries(env)
    .map(([name, value]) => `-e ${inShell(`${name}=${value}`)} `)
    .join('');
}
