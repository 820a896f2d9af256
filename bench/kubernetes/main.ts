import { report } from '../support/report.js';
import { requests } from './requests.js';

// `bench kubernetes requests [FEW MANY]`: how many requests an upgrade costs an API server, for a Deployment among few and among many.

const [what = 'requests', few = '20', many = '200'] = process.argv.slice(2);
if (what !== 'requests') throw new Error(`there is no part ${what}: there is requests`);
process.exit(report(await requests(Number(few), Number(many))));
