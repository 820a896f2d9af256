import { enableCompileCache } from 'node:module';

enableCompileCache();
const args = process.argv.slice(2);
/** `mirror-program.ts` in few files (`rolldown.config.mjs`). */
const bundle = new URL('../../../mirror/mirror-program.js', import.meta.url).href;
// what needs no fleet loads none of it: to copy an image that is there takes less time than to load the rest would
const { runCli } =
  args[0] === 'mirror'
    ? ((await import(bundle)) as typeof import('./mirror-program.js'))
    : await import('./program.js');
process.exitCode = await runCli(args);
