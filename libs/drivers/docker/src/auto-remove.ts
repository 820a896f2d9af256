import { nameOf, type ContainerInfo } from './engine.js';

/**
 * Why a container that was made with `--rm` is not upgraded, and the way out: the engine deletes it when it stops, so that
 * nothing is left to go back to, and its anonymous volumes with it, also when it is stopped to be run once without `--rm`.
 * A volume that another container uses as well is not deleted: that other one is made first.
 */
export function autoRemoveProblem(container: ContainerInfo): string | undefined {
  if (container.HostConfig.AutoRemove !== true) return undefined;
  const name = nameOf(container);
  const named = new Set(
    [
      ...(container.HostConfig.Binds ?? []).map((bind) => bind.split(':')[0]),
      ...(container.HostConfig.Mounts ?? []).map(({ Source }) => Source),
    ].filter((source) => source !== undefined),
  );
  const anonymous = container.Mounts.filter(
    ({ Type, Name }) => Type === 'volume' && Name !== undefined && !named.has(Name),
  );
  return (
    'it was made with --rm: the engine deletes it when it stops, and nothing is left to go back to; run it once without --rm' +
    (anonymous.length === 0
      ? ''
      : `. Its data in ${anonymous.map(({ Destination }) => Destination).join(', ')} is deleted with it: before you stop it, hold that by ` +
        `\`docker create --name ${name}-data --volumes-from ${name} IMAGE\`, and run it with \`--volumes-from ${name}-data\``)
  );
}
