import { bootstrap } from '#service';
import { env } from './env.js';
import { MirrorModule } from './mirror.module.js';

await bootstrap((parsed) => MirrorModule.forEnv(parsed), env, { app: 'mirror' });
