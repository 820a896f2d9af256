import { canonicalJson, type Issue } from '#kernel';
import { ACTIONS, type ObservedInstance, type Plan } from '#contracts';
import { pointerOf } from './problems.js';

/** What is not as it was when a plan was made: documents, what runs, or, where neither tells, the request itself. */
export function driftOf(agreed: Plan, now: Plan): Issue[] {
  const issues = [
    ...driftOfDocuments(agreed, now),
    ...driftOfInstances(agreed, now),
    ...driftOfImages(agreed, now),
    ...driftOfExclusions(agreed, now),
  ];
  if (issues.length > 0) return issues;
  const message =
    canonicalJson(agreed.policy) === canonicalJson(now.policy)
      ? 'the steps are others: the request, or this version of Liftlock, is another'
      : 'the policy is another: ask with the same options';
  return [{ pointer: '/plan', message }];
}

function driftOfDocuments(agreed: Plan, now: Plan): Issue[] {
  const key = ({ kind, name, from }: Plan['documents'][number]): string =>
    from === undefined
      ? `${kind} ${name}`
      : `${kind} ${name} in ${from.namespace} on ${from.target}`;
  const before = new Map(agreed.documents.map((one) => [key(one), one]));
  const after = new Map(now.documents.map((one) => [key(one), one]));
  return [...new Set([...before.keys(), ...after.keys()])].flatMap((name): Issue[] => {
    const [a, b] = [before.get(name), after.get(name)];
    if (a?.digest === b?.digest) return [];
    const [from, to] = [a, b].map((one) =>
      one === undefined ? 'not part of it' : `generation ${one.generation}`,
    );
    return [{ pointer: '/plan', message: `${name} was ${from}, and is ${to}` }];
  });
}

function driftOfInstances(agreed: Plan, now: Plan): Issue[] {
  const after = new Map(now.observed.map((one) => [one.instance, one]));
  return agreed.observed.flatMap((before): Issue[] => {
    const found = after.get(before.instance);
    if (found === undefined || canonicalJson(found) === canonicalJson(before)) return [];
    const pointer = pointerOf('plan', 'observed', before.instance);
    return [{ pointer, message: `${before.instance} was ${told(before)}, and is ${told(found)}` }];
  });
}

/** Who takes part is the request's to say; what is left out may have changed meanwhile, too. */
function driftOfExclusions(agreed: Plan, now: Plan): Issue[] {
  const after = new Map(now.changes.map((one) => [one.instance, one]));
  const what = ({ leftOut, from }: Plan['changes'][number]): string =>
    leftOut === true ? `left out (${from})` : 'not left out';
  return agreed.changes.flatMap((before): Issue[] => {
    const found = after.get(before.instance);
    if (found === undefined || (found.leftOut ?? before.leftOut) === undefined) return [];
    if (what(found) === what(before)) return [];
    const message = `${before.instance} was ${what(before)}, and is ${what(found)}`;
    return [{ pointer: pointerOf('plan', 'changes', before.instance), message }];
  });
}

/** A tag may have moved, in its registry or on a target. */
function driftOfImages(agreed: Plan, now: Plan): Issue[] {
  const after = new Map(imagesOf(now));
  return imagesOf(agreed).flatMap(([key, before]): Issue[] => {
    const found = after.get(key);
    if (found === undefined || found.pin === before.pin) return [];
    const message = `the image ${before.reference} on ${before.target} was ${before.pin}, and is ${found.pin}`;
    return [{ pointer: pointerOf('plan', 'images', before.reference), message }];
  });
}

interface PlannedImage {
  readonly reference: string;
  readonly target: string;
  readonly pin: string | undefined;
}

function imagesOf({ prepare }: Plan): Array<[string, PlannedImage]> {
  return prepare.flatMap((step): Array<[string, PlannedImage]> => {
    if (step.action !== 'image.prepare') return [];
    const { image } = ACTIONS['image.prepare'].input.parse(step.input);
    const target = step.target.name;
    const { reference, id, digest } = image;
    return [[`${target} ${reference}`, { reference, target, pin: id ?? digest }]];
  });
}

function told({ version, imageReference, containerId, running }: ObservedInstance): string {
  return `${version} (${imageReference}, container ${containerId.slice(0, 12)}, ${running ? 'running' : 'stopped'})`;
}
