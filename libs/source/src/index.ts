export { issuesOf } from './issues.js';
export { parseJson } from './parse-json.js';
export { parseYaml } from './parse-yaml.js';
export type { SourceDocument } from './source-document.js';
export { assertTame, MAX_DEPTH } from './tame.js';
