import { bootstrap } from '#service';
import { CoordinatorModule } from './coordinator.module.js';
import { env } from './env.js';

await bootstrap((parsed) => CoordinatorModule.forEnv(parsed), env, { app: 'coordinator' });
