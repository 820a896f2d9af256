import { bootstrap } from '#service';
import { env } from './env.js';
import { PlannerModule } from './planner.module.js';

await bootstrap((parsed) => PlannerModule.forEnv(parsed), env, { app: 'planner' });
