import { Option, type Command } from 'commander';
import { SCOPES, upgradeRequest, type UpgradeRequest } from '#contracts';
import { LiftlockError } from '#kernel';
import { issuesOf } from '#source';
import { wholeNumber } from '../commands/api-command.js';

/** What `plan` and `upgrade` let a person say about the upgrade, beside what it is of. */
export interface RequestOptions {
  readonly reason?: string;
  readonly notBefore?: string;
  readonly plan?: string;
  readonly scope?: string;
  readonly maxFailures?: number;
  readonly bake?: number;
  readonly approval?: true;
  readonly emergency?: true;
  readonly exclude?: readonly string[];
}

export function addRequestOptions(command: Command): Command {
  return command
    .option('--reason <text>', 'why, for the history')
    .option('--not-before <time>', 'RFC 3339, such as 2030-01-31T22:00:00+01:00')
    .addOption(
      new Option('--scope <scope>', 'how much is taken back when an instance fails').choices(
        SCOPES,
      ),
    )
    .option(
      '--max-failures <number>',
      'instances that may fail before the rest is stopped (scope instance)',
      wholeNumber(0),
    )
    .option(
      '--bake <seconds>',
      'how long the old is kept, and checked on, after all is verified',
      wholeNumber(0),
    )
    .option('--approval', 'wait until an approver agrees')
    .option(
      '--emergency',
      'a security release, by the environment’s emergency path: without waiting for windows and freezes; needs --reason',
    )
    .option(
      '--exclude <name>',
      'a target, or an instance (<component>@<target>), that stays as it is; may be given several times',
      (one: string, before: readonly string[] | undefined) => [...(before ?? []), one],
    );
}

/** @throws LiftlockError `invalid_request` naming what is wrong. */
export function requestOf(
  environment: string,
  application: string,
  release: string,
  options: RequestOptions,
): UpgradeRequest {
  const parsed = upgradeRequest.safeParse({
    environment,
    application,
    release,
    policy: {
      scope: options.scope,
      maxFailures: options.maxFailures,
      bakeSeconds: options.bake,
      approval: options.approval === true ? 'required' : undefined,
    },
    reason: options.reason,
    notBefore: options.notBefore,
    plan: options.plan,
    ...emergencyOf(options),
    exclude: options.exclude?.map((one) =>
      one.includes('@') ? { instance: one } : { target: one },
    ),
  });
  if (parsed.success) return parsed.data;
  throw new LiftlockError('invalid_request', 'the request is not valid', {
    issues: issuesOf(parsed.error),
  });
}

function emergencyOf({ emergency, reason }: RequestOptions): Pick<UpgradeRequest, 'emergency'> {
  if (emergency === undefined) return {};
  if (reason === undefined)
    throw new LiftlockError('invalid_request', '--emergency needs --reason TEXT: it is recorded');
  return { emergency: { reason } };
}
