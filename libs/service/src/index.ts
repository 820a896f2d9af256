export { bootstrap, type BootstrapOptions } from './bootstrap.js';
export { HEALTH_CHECKS, HealthController, type HealthCheck } from './health.js';
export {
  optionalVariables,
  parseEnv,
  serviceEnv,
  stepServiceEnv,
  withSecretSources,
  type ServiceEnv,
  type StepServiceEnv,
} from './service-env.js';
