import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { buildManifests } from './manifests.js';

let folder: string;
let path: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-chart-'));
  path = join(folder, 'shop');
  mkdirSync(path);
  writeFileSync(join(path, 'Chart.yaml'), 'apiVersion: v2\nname: chart\nversion: 1.0.0\n');
});
afterEach(() => {
  vi.unstubAllEnvs();
  rmSync(folder, { recursive: true });
});

/** Stands in for the program, as https://helm.sh/docs/helm/helm_template has its command line: `helm template [NAME] [CHART] [flags]`. */
function helm(script: string): void {
  const program = join(folder, 'helm');
  writeFileSync(program, `#!/bin/sh\n${script}\n`);
  chmodSync(program, 0o755);
}

const build = () => {
  vi.stubEnv('PATH', folder);
  return buildManifests({ path, namespace: 'shops' }, AbortSignal.timeout(60_000));
};

describe('a folder with a chart', () => {
  it('is built by helm, under its own name, for the namespace it goes to, and without hooks', async () => {
    helm(
      `printf 'apiVersion: v1\\nkind: ConfigMap\\nmetadata: { name: %s }\\ndata: { said: "%s" }\\n' "$2" "$*"`,
    );
    expect((await build()).objects).toEqual([
      {
        ...{ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'shop' } },
        data: { said: `template shop ${path} --namespace shops --include-crds --no-hooks` },
      },
    ]);
  });

  it('says what helm says of it', async () => {
    helm('echo "Error: found in Chart.yaml, but missing in charts/ directory: db" >&2; exit 1');
    await expect(build()).rejects.toThrow('helm template says: Error: found in Chart.yaml, but');
  });

  it('names helm where it is not installed', async () => {
    await expect(build()).rejects.toMatchObject({
      code: 'misconfigured',
      message: `${path} cannot be applied: charts are built by helm, which is not there: install it where this service runs, in its PATH`,
    });
  });
});
