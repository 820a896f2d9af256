import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Cli, type CliEnd } from '../support/cli.js';
import { ModelFleet } from '../support/model-fleet.js';

let fleet: ModelFleet;
let cli: Cli;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'liftlock-documents-'));
  fleet = await ModelFleet.start();
  cli = Cli.of(fleet.fleet.url, fleet.fleet.token);
});
afterAll(async () => {
  await fleet.stop();
  rmSync(folder, { recursive: true, force: true });
});

const run = (...args: string[]): Promise<CliEnd> => cli.run(args);

function write(name: string, text: string): string {
  const file = join(folder, name);
  mkdirSync(join(file, '..'), { recursive: true });
  writeFileSync(file, text);
  return file;
}

const application = (chain: string, parallel: number): string => `apiVersion: liftlock.dev/v1
kind: Application
metadata: { name: ingress }
spec:
  maxParallel: ${parallel}
  chains: [${chain}]
  components:
    - name: nginx
      targets: [host]
`;

const chain = (template: string): string => `apiVersion: k0rdent.mirantis.com/v1alpha1
kind: ServiceTemplateChain
metadata:
  name: ingress-nginx-chain
  namespace: kcm-system
spec:
  supportedTemplates:
    - name: ingress-nginx-4-11-3
      availableUpgrades:
        - name: ${template}
    - name: ${template}
`;

describe('documents by the command line', () => {
  it('that name what nobody has are refused with file, line and path, and nothing is stored', async () => {
    const file = write('dangling.yaml', application('nowhere', 1));
    const { code, stderr } = await run('apply', '-f', file);
    expect(code).toBe(2);
    expect(stderr).toBe(
      `liftlock: nothing was stored\n${file}:6: /spec/chains/0: there is no UpgradeChain or ServiceTemplateChain nowhere, neither among these documents nor on the server\n`,
    );
    expect((await run('get', 'application', 'ingress')).code).not.toBe(0);
  });

  it('tell all that is wrong at once: shapes, names given twice, and what nobody has', async () => {
    const release = (name: string, component: string): string =>
      `apiVersion: liftlock.dev/v1
kind: Release
metadata: { name: ${name} }
spec: { application: ingress, version: '1.0', components: { ${component}: { image: 'x:1' } } }
`;
    const text = [
      application('nowhere', 1),
      `apiVersion: liftlock.dev/v1
kind: Application
metadata: { name: misshapen }
spec: { components: [{ name: a }] }
`,
      release('one', 'nginx'),
      release('one', 'tomcat'),
      release('two', 'nginx').replace('application: ingress', 'application: misshapen'),
    ].join('---\n');
    const file = write('all-wrong.yaml', text);
    const { code, stderr } = await run('apply', '-f', file);
    expect([code, stderr.split('\n')]).toEqual([
      2,
      [
        'liftlock: nothing was stored',
        `${file}:14: /spec/components/0/targets: Invalid input: expected array, received undefined`,
        `${file}:21: Release one is given twice: also in ${file}:16`,
        `${file}:6: /spec/chains/0: there is no UpgradeChain or ServiceTemplateChain nowhere, neither among these documents nor on the server`,
        `${file}:24: /spec/components/tomcat: the application ingress has no component tomcat`,
        '',
      ],
    ]);
  });

  it('of a folder are stored whatever their order; diff, history, explain and delete tell of them', async () => {
    const all = join(folder, 'all');
    write('all/application.yaml', application('ingress-nginx-chain', 1));
    write('all/chains/k0rdent.yml', `---\n${chain('ingress-nginx-4-11-5')}---\n`);
    const before = await run('diff', '-f', all);
    expect(before.code).toBe(1);
    expect(before.stdout).toContain(
      '+++ application/ingress as given\n+apiVersion: liftlock.dev/v1',
    );
    const stored = await run('apply', '-f', all);
    expect([stored.code, stored.stdout]).toEqual([
      0,
      'application/ingress created (generation 1)\nservicetemplatechain/ingress-nginx-chain created (generation 1)\n',
    ]);
    expect(await run('diff', '-f', all)).toMatchObject({ code: 0, stdout: '' });

    write('all/application.yaml', application('ingress-nginx-chain', 3));
    const changed = await run('diff', '-f', all);
    expect(changed.stdout).toContain('-  maxParallel: 1\n+  maxParallel: 3\n');
    await run('apply', '-f', all);
    const history = await run('get', 'application', 'ingress', '--history');
    expect(history.stdout).toMatch(/^2 .*\n1 /m);

    const immutable = write('immutable.yaml', chain('ingress-nginx-4-12-0'));
    const refused = await run('apply', '-f', immutable);
    expect(refused.code).not.toBe(0);
    expect(refused.stderr).toContain('Spec is immutable');

    const used = await run('delete', 'servicetemplatechain', 'ingress-nginx-chain');
    expect(used.stderr).toContain('is named by Application ingress');
    expect((await run('delete', 'application', 'ingress')).stdout).toBe(
      'application/ingress deleted\n',
    );
    expect((await run('delete', 'servicetemplatechains', 'ingress-nginx-chain')).code).toBe(0);
    expect((await run('get', 'applications', 'ingress', '--history')).stdout).toContain('deleted');
  });

  it('are explained field by field, and an unknown field names those that there are', async () => {
    const { stdout } = await run('explain', 'application.spec.components');
    expect(stdout).toContain('Application.spec.components: list of object');
    expect(stdout).toMatch(/dependsOn +list of string +default \[\]/);
    expect(stdout).toMatch(/targets +list of string +required/);
    const wrong = await run('explain', 'release.spec.image');
    expect(wrong.code).toBe(2);
    expect(wrong.stderr).toMatch(/has no field image: application, version, .*components/);
    const schema = await fleet.api.request('GET', '/v1/schemas/Release');
    expect(schema.body).toMatchObject({ title: 'Release', additionalProperties: false });
  });
});
