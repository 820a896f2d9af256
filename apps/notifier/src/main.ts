import { bootstrap } from '#service';
import { env } from './env.js';
import { NotifierModule } from './notifier.module.js';

await bootstrap((parsed) => NotifierModule.forEnv(parsed), env, { app: 'notifier' });
