// first: it holds for what is loaded, too
import './small-heap.js';
import { bootstrap } from '#service';
import { env } from './env.js';
import { BackupModule } from './backup.module.js';

await bootstrap((parsed) => BackupModule.forEnv(parsed), env, { app: 'backup' });
