import { bootstrap } from '#service';
import { env } from './env.js';
import { VerifierModule } from './verifier.module.js';

await bootstrap((parsed) => VerifierModule.forEnv(parsed), env, { app: 'verifier' });
