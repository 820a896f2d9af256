import type { ContainerInfo, Engine, ImageInfo } from './engine.js';
import { composeHash } from './compose-hash.js';
import { COMPOSE_LABELS, composeServiceOf, type ComposeService } from './compose-project.js';
import { LABELS } from './labels.js';

export interface ComposeState {
  readonly service: ComposeService;
  /** Why `docker compose up` would make the container once more; nothing when it will find nothing to change. */
  readonly because?: string;
}

/**
 * What Compose would make of the container today. Only where its file, with the image that the container was made from, still
 * gives the hash that the container carries, a hash for another image may be put in its place: else the file has been changed
 * otherwise, and `docker compose up` has a reason of its own to make the container once more.
 */
export async function composeStateOf(
  engine: Engine,
  container: ContainerInfo,
  signal: AbortSignal,
): Promise<ComposeState | undefined> {
  const service = composeServiceOf(container.Config.Labels);
  if (service === undefined) return undefined;
  const image = container.Config.Labels[LABELS.image] ?? container.Config.Image;
  const present = await composeHash(service, image, engine.endpoint, signal);
  if ('because' in present) return { service, because: present.because };
  if (present.hash === service.configHash) return { service };
  return {
    service,
    because:
      'its compose file, or what that reads, says more than another image: something else was changed since the container was made',
  };
}

/** The labels by which Compose will take the new container for its own, made from its file with the new image. */
export async function composeLabels(
  engine: Engine,
  old: ContainerInfo,
  image: { readonly reference: string; readonly info: ImageInfo },
  context: { readonly signal: AbortSignal; log(text: string): void },
): Promise<Record<string, string>> {
  const { signal } = context;
  const state = await composeStateOf(engine, old, signal);
  if (state === undefined) return {};
  const labels: Record<string, string> =
    old.Config.Labels[COMPOSE_LABELS.image] === undefined
      ? {}
      : { [COMPOSE_LABELS.image]: image.info.Id };
  const wanted =
    state.because === undefined
      ? await composeHash(state.service, image.reference, engine.endpoint, signal)
      : { because: state.because };
  if ('hash' in wanted) return { ...labels, [COMPOSE_LABELS.configHash]: wanted.hash };
  context.log(
    `docker compose up will make ${state.service.service} of the project ${state.service.project} once more: ${wanted.because}`,
  );
  return labels;
}
