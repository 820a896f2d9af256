import { assertNever, type Issue } from '#kernel';
import type { UpgradeHook, UpgradeHookWork, UpgradeRollbackHook } from '../actions/hooks.js';
import { pointerOf } from '../json-pointer.js';
import { issuesOfPolicy } from '../policy/environment-policy.js';
import { EVENT_TYPES } from '../upgrade/events.js';
import { findCycle } from './cycle.js';
import type { ApplicationDocument, EnvironmentDocument, LiftlockDocument } from './documents.js';
import { issuesOfChecks } from './issues-of-checks.js';
import { issuesOfRelease } from './issues-of-release.js';
import { issuesOfTemplateChain, issuesOfUpgradeChain } from './issues-of-chain.js';

/** What is wrong with a document that its schema cannot tell, whatever other documents say. */
export function issuesWithin(document: LiftlockDocument): Issue[] {
  switch (document.kind) {
    case 'Environment':
      return issuesOfEnvironment(document);
    case 'Application':
      return issuesOfApplication(document);
    case 'Release':
      return issuesOfRelease(document);
    case 'UpgradeChain':
      return issuesOfUpgradeChain(document);
    case 'ServiceTemplateChain':
      return issuesOfTemplateChain(document);
    default:
      return assertNever(document, 'document');
  }
}

function issuesOfEnvironment({ metadata, spec }: EnvironmentDocument): Issue[] {
  const types: readonly string[] = EVENT_TYPES;
  const unknown = spec.webhooks.flatMap(({ events }, index) =>
    events.flatMap((event, at): Issue[] =>
      types.includes(event)
        ? []
        : [
            {
              pointer: pointerOf('spec', 'webhooks', index, 'events', at),
              message: `there is no event ${event}`,
            },
          ],
    ),
  );
  return [
    ...doubles(
      spec.targets.map(({ name }) => name),
      'spec',
      'targets',
    ),
    ...unknown,
    ...issuesOfPolicy(spec.policy),
    ...(spec.policy.promotion?.from === metadata.name
      ? [
          {
            pointer: '/spec/policy/promotion/from',
            message: 'is this environment itself: name the one that comes before it',
          },
        ]
      : []),
  ];
}

function issuesOfApplication({ spec }: ApplicationDocument): Issue[] {
  const names = spec.components.map(({ name }) => name);
  const issues = doubles(names, 'spec', 'components');
  issues.push(
    ...doubles(
      (spec.groups ?? []).map(({ name }) => name),
      'spec',
      'groups',
    ),
  );
  spec.components.forEach((component, index) => {
    const { name, targets, dependsOn, requires, checks } = component;
    const place = ['spec', 'components', index] as const;
    issues.push(
      ...issuesOfStrategy(component, pointerOf(...place, 'strategy')),
      ...doubles(targets, ...place, 'targets'),
      ...issuesOfChecks(checks, pointerOf(...place)),
    );
    for (const other of Object.keys(requires ?? {})) {
      const pointer = pointerOf(...place, 'requires', other);
      if (other === name) issues.push({ pointer, message: `${name} requires itself` });
      else if (!names.includes(other))
        issues.push({ pointer, message: `there is no component ${other}` });
    }
    dependsOn.forEach((on, at) => {
      if (names.includes(on)) return;
      issues.push({
        pointer: pointerOf(...place, 'dependsOn', at),
        message: `there is no component ${on}`,
      });
    });
  });
  issues.push(...issuesOfHooks(spec));
  const cycle = findCycle(spec.components);
  if (cycle !== undefined) {
    issues.push({
      pointer: '/spec/components',
      message: `dependsOn goes in a circle: ${cycle.join(' → ')}`,
    });
  }
  return issues;
}

/** What rolls is never down: nothing can be done while it is. */
function issuesOfStrategy(
  { strategy, hooks, data }: ApplicationDocument['spec']['components'][number],
  pointer: string,
): Issue[] {
  if (strategy !== 'rolling') return [];
  const never: Issue[] = [];
  if ((hooks?.stopped ?? []).length > 0)
    never.push({
      pointer,
      message: 'is rolling, so that there is no moment for hooks.stopped: let it be recreate',
    });
  if (data?.consistency === 'stopped')
    never.push({
      pointer,
      message:
        'is rolling, so that there is no moment for a snapshot while it is stopped: let it be recreate, or data.consistency be running',
    });
  return never;
}

/** A command of the whole application runs in one container, and a job beside one. */
function issuesOfHooks({ components, hooks }: ApplicationDocument['spec']): Issue[] {
  if (hooks === undefined) return [];
  // one that stands there twice is told as that
  const targetsOf = new Map(components.map(({ name, targets }) => [name, [...new Set(targets)]]));
  const { before, after, onRollback } = hooks;
  return Object.entries({ before, after, onRollback }).flatMap(([moment, all]) =>
    all.flatMap((hook, index) => {
      const place = ['spec', 'hooks', moment, index] as const;
      const undo = 'undo' in hook && typeof hook.undo === 'object' ? hook.undo : undefined;
      return [
        ...issuesOfPlace(hook, targetsOf, ...place),
        ...(undo === undefined ? [] : issuesOfPlace(undo, targetsOf, ...place, 'undo')),
      ];
    }),
  );
}

function issuesOfPlace(
  hook: UpgradeHookWork | UpgradeRollbackHook | UpgradeHook,
  targetsOf: ReadonlyMap<string, readonly string[]>,
  ...place: ReadonlyArray<string | number>
): Issue[] {
  if (hook.type === 'http') return [];
  const { component, target } = hook.instance;
  const targets = targetsOf.get(component);
  const pointer = pointerOf(...place, 'instance', targets === undefined ? 'component' : 'target');
  if (targets === undefined) return [{ pointer, message: `there is no component ${component}` }];
  if (target === undefined)
    return targets.length === 1
      ? []
      : [{ pointer, message: `${component} runs on ${targets.join(', ')}: name one of these` }];
  return targets.includes(target)
    ? []
    : [{ pointer, message: `${component} does not run on ${target}` }];
}

function doubles(names: readonly string[], ...place: ReadonlyArray<string | number>): Issue[] {
  return names.flatMap((name, index): Issue[] =>
    names.indexOf(name) === index
      ? []
      : [{ pointer: pointerOf(...place, index), message: `${name} stands here twice` }],
  );
}
