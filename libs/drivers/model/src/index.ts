export type { Control, ControlRule, Held, Moment } from './control.js';
export { modelDriver } from './model-driver.js';
export {
  createModelWorld,
  readHeld,
  readLedger,
  readWorld,
  writeControl,
  type NewModelContainer,
} from './test-api.js';
export {
  EFFECTS,
  HISTORY_FILE,
  modelImageId,
  type Effect,
  type EffectLine,
  type LedgerLine,
  type ModelContainer,
  type ModelVolume,
  type ModelWorld,
  type ViolationLine,
} from './world.js';
