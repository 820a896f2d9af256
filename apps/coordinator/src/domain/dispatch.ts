import {
  carriedStep,
  commandSubject,
  type CommandData,
  type CommandName,
  type Plan,
  type StepApp,
} from '#contracts';
import { PlanIndex, type SagaCommand } from '#saga';

/** A command that goes out, and goes out again until it is answered. */
export interface Dispatch {
  /** What it is about: a step's id, or `plan`. One is open at a time for each. */
  readonly key: string;
  readonly token: number;
  readonly name: CommandName;
  readonly subject: string;
  readonly data: CommandData<'run-step'> | CommandData<'revoke-step'> | CommandData<'compute-plan'>;
}

interface About {
  readonly upgrade: string;
  readonly planDigest: string;
  readonly plan: Plan;
}

type StepCommand = Extract<SagaCommand, { type: 'run-step' | 'revoke-step' }>;

/** The message for the service that runs the step, at the site of its target. */
export function dispatchOf(command: StepCommand, about: About): Dispatch {
  const step = carriedStep.parse(PlanIndex.of(about.plan).step(command.stepId).step);
  const app: StepApp = step.app;
  const attempt = {
    upgrade: about.upgrade,
    stepId: command.stepId,
    token: command.token,
    attempt: command.attempt,
  };
  const common = {
    key: command.stepId,
    token: command.token,
    subject: commandSubject(command.type, app, step.target.site),
  };
  if (command.type === 'revoke-step')
    return { ...common, name: 'revoke-step', data: { ...attempt, step } };
  return {
    ...common,
    name: 'run-step',
    data: {
      ...attempt,
      environment: about.plan.environment,
      application: about.plan.application,
      planDigest: about.planDigest,
      direction: command.direction,
      step,
    },
  };
}

/** Milliseconds until a command without an answer goes out again: doubled each time, up to twelve sweeps. */
export function resendAfterMs(sends: number, sweepMs: number): number {
  return sweepMs * Math.min(2 ** (sends - 1), 12);
}
