import { bootstrap } from '#service';
import type { DeliveryPolicy } from '../../src/domain/delivery-policy.js';
import { env } from '../../src/env.js';
import { NotifierModule } from '../../src/notifier.module.js';

// main.ts with less patience
const policy = JSON.parse(process.argv[2] ?? '') as DeliveryPolicy;
await bootstrap((parsed) => NotifierModule.forEnv(parsed, policy), env, { app: 'notifier' });
