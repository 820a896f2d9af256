import { Controller, Req } from '@nestjs/common';
import type { Request } from 'express';
import { DEFAULT_SITE, STEP_APPS, type LogPage, type QueryReply, type StepApp } from '#contracts';
import { LiftlockError } from '#kernel';
import { QueryClient } from '#bus';
import { Endpoint } from '../http/endpoint.decorator.js';
import { ENDPOINTS } from '../http/endpoints.js';
import { readInput } from '../http/read-input.js';
import { cursorOf, parseCursor, placeOf } from './log-cursor.js';
import { PlanPages } from './plan-pages.js';

type Line = QueryReply<'executor-step-log'>['lines'][number] & {
  readonly app: StepApp;
  readonly site: string;
};

/** What the step services keep: their logs. */
@Controller()
export class LogsController {
  constructor(
    private readonly queries: QueryClient,
    private readonly plans: PlanPages,
  ) {}

  @Endpoint('getLogs')
  async logs(@Req() request: Request): Promise<LogPage> {
    const { params, query } = await readInput(ENDPOINTS.getLogs, request);
    const positions = new Map(parseCursor(query.cursor));
    const { planDigest } = await this.queries.ask('get-upgrade', params);
    const sites = planDigest === undefined ? [DEFAULT_SITE] : await this.plans.sitesOf(planDigest);
    const places = sites.flatMap((site) => STEP_APPS.map((app) => ({ app, site })));
    const answers = await Promise.all(
      places.map(async ({ app, site }): Promise<Line[] | LiftlockError> => {
        const asked = {
          upgrade: params.id,
          after: positions.get(placeOf(app, site)) ?? 0,
          limit: query.limit,
          ...(query.step === undefined ? {} : { stepId: query.step }),
        };
        try {
          const { lines } = await this.queries.ask(`${app}-step-log`, asked, { site });
          return lines.map((line) => ({ ...line, app, site }));
        } catch (error) {
          const known = LiftlockError.from(error);
          if (known.code === 'unavailable') return known;
          throw error;
        }
      }),
    );
    const silent = answers.filter((answer) => answer instanceof LiftlockError);
    const [first] = silent;
    if (first !== undefined && silent.length === places.length) throw first;
    const merged = answers.flatMap((answer) =>
      answer instanceof LiftlockError ? [] : timed(answer),
    );
    // only what is given out counts as read: the rest is in the next page
    const given = merged
      .toSorted((a, b) => a.time - b.time)
      .slice(0, query.limit)
      .map(({ line }) => line);
    for (const { app, site, id } of given) positions.set(placeOf(app, site), id);
    return {
      lines: given.map(({ stepId, token, at, level, text, app, site }) => ({
        stepId,
        token,
        at,
        level,
        text,
        app,
        site,
      })),
      cursor: cursorOf(positions),
      unavailable: places.flatMap(({ app, site }, i) =>
        answers[i] instanceof LiftlockError ? [placeOf(app, site)] : [],
      ),
    };
  }
}

/** One service's lines stay in its own order, also when its clock went backwards: a page must never leave one out. */
function timed(lines: readonly Line[]): { readonly line: Line; readonly time: number }[] {
  let latest = 0;
  return lines.map((line) => ({ line, time: (latest = Math.max(latest, Date.parse(line.at))) }));
}
