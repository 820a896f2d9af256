import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, parseAllDocuments } from 'yaml';
import { rootFolder } from '#fleet';
import { digestOf } from '#kernel';
import {
  DOCUMENT_KINDS,
  imageAnswer,
  observation,
  upgradeRequest,
  type DocumentKind,
  type ImageAnswer,
  type LiftlockDocument,
  type Observation,
} from '#contracts';
import type { PlanningInput } from '../../apps/planner/src/domain/compute-plan.js';
import { extentOf } from '../../apps/planner/src/domain/instances.js';
import { imageKey, observeQuestions } from '../../apps/planner/src/domain/observe-questions.js';
import type { Stored } from '../../apps/planner/src/domain/planning-documents.js';
import { Problems } from '../../apps/planner/src/domain/problems.js';
import { readDocument } from '../../apps/planner/src/domain/read-document.js';

/** All documents of a file, or of the files of a folder, read as strictly as the planner takes them. */
export function documentsIn(path: string): LiftlockDocument[] {
  const place = join(rootFolder(), path);
  const files = path.endsWith('.yaml')
    ? [place]
    : readdirSync(place)
        .toSorted()
        .map((file) => join(place, file));
  return files.flatMap((file) =>
    parseAllDocuments(readFileSync(file, 'utf8')).map((parsed) => {
      const body: unknown = parsed.toJS();
      const { kind, metadata } = body as { kind: DocumentKind; metadata: { name: string } };
      if (!DOCUMENT_KINDS.includes(kind)) throw new Error(`${file}: kind ${kind}`);
      return readDocument(kind, metadata.name, body);
    }),
  );
}

export function observationsIn(path: string): Observation[] {
  return parseAllDocuments(readFileSync(join(rootFolder(), path), 'utf8')).map((one) =>
    observation.parse(one.toJS()),
  );
}

/** What a target answers about what it has not. */
export function absent(container: string): Observation['containers'][number] {
  return {
    ...{ container, found: false, repoDigests: [], running: false, health: 'none' },
    ...{ mounts: [], ports: [], problems: [], warnings: [] },
  };
}

/** What the mirror would answer about the archives that releases name: their digests by component. */
export function archivesIn(
  path: string,
  documents: readonly LiftlockDocument[],
): ReadonlyMap<string, ImageAnswer> {
  const digests = parse(readFileSync(join(rootFolder(), path), 'utf8')) as Record<string, string>;
  const mirror = ofKind(documents, 'Environment')[0]?.document.spec.mirror;
  const answers = new Map<string, ImageAnswer>();
  for (const { document } of ofKind(documents, 'Release'))
    for (const [component, { image, archive }] of Object.entries(document.spec.components)) {
      const [, repository = '', tag = ''] = /^[^/]+\/(.+):([^:]+)$/.exec(image) ?? [];
      const place = `${mirror?.registry}/${repository}`;
      answers.set(
        imageKey(image, archive),
        archive === undefined
          ? { outcome: 'left' }
          : imageAnswer.parse({
              ...{ outcome: 'found', digest: digests[component], name: place },
              target: { repository: place, tag },
            }),
      );
    }
  return answers;
}

const stored = <D extends LiftlockDocument>(document: D): Stored<D> => ({
  document,
  generation: 1,
  digest: digestOf(document),
});

function ofKind<K extends DocumentKind>(
  documents: readonly LiftlockDocument[],
  kind: K,
): Array<Stored<Extract<LiftlockDocument, { kind: K }>>> {
  return documents.flatMap((one) =>
    one.kind === kind ? [stored(one as Extract<LiftlockDocument, { kind: K }>)] : [],
  );
}

/**
 * What the planner would work with if these documents were stored and the targets answered as recorded. What was recorded says what is
 * there: a container that it does not name is not there, nor is an image.
 */
export function recorded(
  documents: readonly LiftlockDocument[],
  observations: readonly Observation[],
  request: { release: string },
): PlanningInput {
  const [environment] = ofKind(documents, 'Environment');
  const [application] = ofKind(documents, 'Application');
  const releases = ofKind(documents, 'Release');
  const named = application?.document.spec.chains ?? [];
  const found = {
    ...{ environment, application, releases },
    release: releases.find(({ document }) => document.metadata.name === request.release),
    chains: [
      ...ofKind(documents, 'UpgradeChain'),
      ...ofKind(documents, 'ServiceTemplateChain'),
    ].filter(({ document }) => named.includes(document.metadata.name)),
  };
  const asked = upgradeRequest.parse({
    ...{ environment: environment?.document.metadata.name },
    ...{ application: application?.document.metadata.name, release: request.release },
  });
  const extent = extentOf(asked, found, new Problems());
  const questions = new Map(
    (extent === undefined ? [] : observeQuestions(extent)).map((one) => [one.target.name, one]),
  );
  const answers = observations.map((one): Observation => {
    const question = questions.get(one.target);
    if (question === undefined) return one;
    const containers = question.containers.map(
      (container) =>
        one.containers.find((known) => known.container === container) ?? absent(container),
    );
    const images = question.images.map(
      ({ reference }, at) =>
        [one.images[at], ...one.images].find((known) => known?.reference === reference) ?? {
          reference,
          present: false as const,
          repoDigests: [],
        },
    );
    return { ...one, containers, images };
  });
  return { request: asked, documents: found, observations: answers };
}

/** One document changed, as a person would change it in the file. */
export function changed(
  documents: readonly LiftlockDocument[],
  kind: DocumentKind,
  change: (spec: Record<string, unknown>) => object,
): LiftlockDocument[] {
  return documents.map((one) => {
    if (one.kind !== kind) return one;
    const body = parse(JSON.stringify(one)) as { spec: Record<string, unknown> };
    return readDocument(kind, one.metadata.name, { ...body, spec: change(body.spec) });
  });
}
