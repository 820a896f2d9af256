import { bootstrap } from '#service';
import { env } from './env.js';
import { GatewayModule } from './gateway.module.js';

await bootstrap((parsed) => GatewayModule.forEnv(parsed), env, {
  app: 'gateway',
  configure: (app) => GatewayModule.configure(app),
});
