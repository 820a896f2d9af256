export { EXIT } from './data-scripts.js';
export { dataError, LOSS } from './data-errors.js';
export { cleanPath, isWithin, outermost, type DataPlaces } from './data-places.js';
export {
  archiverOf,
  archiverVersions,
  findProgram,
  firstLineOf,
  localTools,
  optionalToolNames,
  PLAIN_ENV,
  programOf,
  toolNames,
  type DataTools,
  type OptionalTool,
  type Tool,
} from './data-tools.js';
export { FolderData } from './folder-data.js';
export { HeldEnd, newMark, withMark, wordsBefore, type ScriptEnd } from './end-mark.js';
export { ListThenWords, Tail, type ErrorText } from './error-text.js';
export { type ScriptedData, type ScriptRun, type ScriptRunner } from './scripted-data.js';
export { ScriptedDataDriver } from './scripted-data-driver.js';
export { asPattern, call, quote } from './shell-words.js';
