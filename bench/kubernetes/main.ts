import { report, type Case } from '../support/report.js';
import { requests } from './requests.js';
import { upgrade } from './upgrade.js';

// `bench kubernetes [upgrade [PAIRS]]`: example A beside a shell script of its text's commands.
// `bench kubernetes requests [FEW MANY]`: how many requests an upgrade costs an API server, for a Deployment among few and among many.

const PARTS: Readonly<Record<string, (...numbers: readonly number[]) => Promise<Case[]>>> = {
  upgrade: (pairs = 2) => upgrade(pairs),
  requests: (few = 20, many = 200) => requests(few, many),
};

const [what = 'upgrade', ...words] = process.argv.slice(2);
const part = PARTS[what];
if (part === undefined)
  throw new Error(`there is no part ${what}: there are ${Object.keys(PARTS).join(', ')}`);
process.exit(report(await part(...words.map(Number))));
