import { bootstrap } from '#service';
import { env } from './env.js';
import { ExecutorModule } from './executor.module.js';

await bootstrap((parsed) => ExecutorModule.forEnv(parsed), env, { app: 'executor' });
