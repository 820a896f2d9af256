import { stringify } from 'yaml';
import { assertNever, digestOf } from '#kernel';
import type { Plan } from '#contracts';
import type { Colours } from './colours.js';
import { planDot } from './plan-dot.js';
import { planMarkdown } from './plan-markdown.js';
import { planRunbook } from './plan-runbook.js';
import { planSvg } from './plan-svg.js';
import { planText, stepsText } from './plan-text.js';

/** How a plan may be shown. */
export const PLAN_FORMATS = ['text', 'json', 'yaml', 'markdown', 'dot', 'svg', 'runbook'] as const;
export type PlanFormat = (typeof PLAN_FORMATS)[number];

export function showPlan(
  plan: Plan,
  format: Exclude<PlanFormat, 'json'>,
  colours: Colours,
): string {
  switch (format) {
    case 'text':
      return `${planText(plan, digestOf(plan), colours)}\n${stepsText(plan, colours)}`;
    case 'yaml':
      return stringify(plan);
    case 'markdown':
      return planMarkdown(plan, digestOf(plan));
    case 'dot':
      return planDot(plan);
    case 'svg':
      return planSvg(plan);
    case 'runbook':
      return planRunbook(plan, digestOf(plan));
    default:
      return assertNever(format, 'format');
  }
}
