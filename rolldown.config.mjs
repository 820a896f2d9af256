import { defineConfig } from 'rolldown';

// `liftlock mirror`, from what tsc wrote, in few files: a copy of an image that is there takes less time than to look up a hundred modules.
// What is imported late stays in files of its own. No source maps: Node would read them at each start.
export default defineConfig({
  input: 'dist/apps/cli/src/mirror-program.js',
  platform: 'node',
  output: { dir: 'dist/mirror', format: 'esm', cleanDir: true },
});
