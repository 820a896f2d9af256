import { posix } from 'node:path';
import type { Bracket, Step } from '#contracts';
import type { SeenContainer } from './wanted-image.js';
import type { Instance } from './instances.js';
import { pointerOf, type Problems } from './problems.js';
import type { StepMaker } from './step-maker.js';

/** How the files of one lane are looked at before anything is touched, written, and removed. */
export interface PlannedFiles {
  readonly prepare: Step;
  readonly bracket: Bracket;
}

interface FilesSubject {
  readonly instance: Instance;
  readonly container: { readonly container: string; readonly containerId: string };
}

/**
 * One bracket for all files of a lane. They are written after the snapshot, so that no backup has them, and removed before the way
 * back begins, so that no restore meets them.
 * @param beforeStep the step that needs them
 */
export function planFiles(
  maker: StepMaker,
  lane: string,
  beforeStep: string,
  { instance, container: { container, containerId } }: FilesSubject,
): PlannedFiles | undefined {
  const { component, target, id: of } = instance;
  const { files } = component;
  if (files.length === 0) return undefined;
  const paths = files.map(({ path }) => path);
  const about = (id: string, title: string) => ({
    id,
    title,
    target,
    component: component.name,
    pointer: instance.pointer,
  });
  const what = files.length === 1 ? `${paths[0]}` : `${files.length} files`;
  const named = { container, containerId };
  return {
    prepare: maker.make(
      'file.prepare',
      about(
        `prepare/${target.name}/${component.name}-files`,
        `See that ${what} of ${of} can be written`,
      ),
      { ...named, files },
    ),
    bracket: {
      id: `${lane}/files`,
      lanes: [lane],
      beforeStep,
      duringRollback: false,
      acquire: maker.make('file.write', about(`${lane}/files/write`, `Write ${what} of ${of}`), {
        ...named,
        files,
      }),
      release: maker.make('file.remove', about(`${lane}/files/remove`, `Remove ${what} of ${of}`), {
        ...named,
        paths,
      }),
    },
  };
}

/** A file in a container's own file system would be seen by no other container: neither by the new one nor by who removes it. */
export function refuseMisplacedFiles(
  instance: Instance,
  { mounts }: SeenContainer,
  problems: Problems,
): void {
  for (const [index, { path }] of instance.component.files.entries()) {
    const problem = placeProblem(path, mounts);
    if (problem === undefined) continue;
    problems.add(
      'unplannable',
      instance.pointer,
      `the file ${path} (spec.components ${instance.component.name}${pointerOf('files', index)}) of ${instance.id} ` +
        `${problem.why}, so that it cannot be written before the container starts: put it below one of ${problem.places}`,
    );
  }
}

/** Why a helper that has a container's volumes and folders of the host can put no file at a path; undefined where it can. */
export function placeProblem(
  path: string,
  mounts: SeenContainer['mounts'],
): { readonly why: string; readonly isMountPoint: boolean; readonly places: string } | undefined {
  const kept = mounts
    .map(({ kind, destination }) => ({ kind, destination: posix.normalize(destination) }))
    .toSorted((a, b) => b.destination.length - a.destination.length);
  // the longest first: a mount within another hides what lies below it
  const holder = kept.find(({ destination }) => isBelow(path, destination));
  const isMountPoint = kept.some(({ destination }) => destination === path);
  if (holder !== undefined && holder.kind !== 'other' && !isMountPoint) return undefined;
  const places = kept.filter(({ kind }) => kind !== 'other').map((one) => one.destination);
  return {
    isMountPoint,
    why: isMountPoint
      ? 'is itself a mount point of the container'
      : 'is on no volume and no folder of the host',
    places: places.toSorted().join(', ') || '(it has none)',
  };
}

function isBelow(path: string, folder: string): boolean {
  return path.startsWith(folder.endsWith('/') ? folder : `${folder}/`);
}
