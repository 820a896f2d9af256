import { Controller, Get, Header, Inject, Res } from '@nestjs/common';
import type { Response } from 'express';
import { register } from 'prom-client';
import { LiftlockError } from '#kernel';

/** Something that must work before the service counts as ready. @throws when it does not. */
export interface HealthCheck {
  readonly name: string;
  check(): Promise<void>;
}

export const HEALTH_CHECKS = Symbol('health checks');

/** For people and for what starts the services; needs no token. */
@Controller()
export class HealthController {
  constructor(@Inject(HEALTH_CHECKS) private readonly checks: readonly HealthCheck[]) {}

  /** The process is not stuck. It says nothing of what it needs: a broker that is away is no reason to kill the service. */
  @Get('health/live')
  live(): { status: 'ok' } {
    return { status: 'ok' };
  }

  @Get('health/ready')
  async ready(
    @Res({ passthrough: true }) response: Response,
  ): Promise<{ status: string; checks: Record<string, string> }> {
    const checks: Record<string, string> = {};
    for (const { name, check } of this.checks.map((one) => ({
      name: one.name,
      check: () => one.check(),
    }))) {
      checks[name] = await check().then(
        () => 'ok',
        (error: unknown) => LiftlockError.from(error).message,
      );
    }
    const ok = Object.values(checks).every((state) => state === 'ok');
    response.status(ok ? 200 : 503);
    return { status: ok ? 'ok' : 'not ready', checks };
  }

  @Get('metrics')
  @Header('Content-Type', register.contentType)
  metrics(): Promise<string> {
    return register.metrics();
  }
}
