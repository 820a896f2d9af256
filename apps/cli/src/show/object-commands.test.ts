import { describe, expect, it } from 'vitest';
import { ACTIONS, type ActionName, type Step } from '#contracts';
import { commandsOf } from './step-commands.js';

const step = (action: ActionName, input: object): Step => ({
  ...{ id: 'h1/w1/web@one/stopped-one', title: 's', phase: 'execute', action, app: 'executor' },
  target: { name: 'one', driver: 'kubernetes', site: 'main', endpoint: 'https://10.0.0.7:6443' },
  input: JSON.parse(JSON.stringify(ACTIONS[action].input.parse(input))) as Step['input'],
  ...{ undo: 'none_needed', timeoutSeconds: 60, observable: true, repeatable: false },
  retry: { maxAttempts: 1, backoffSeconds: 1, maxBackoffSeconds: 1 },
});
const about = { container: 'shop/Deployment/web', namespace: 'shop' };
const there = (work: object, recorded = false): string =>
  commandsOf(step('hook.object', { ...about, work, recorded })).join('\n');
const back = (work: object): string =>
  commandsOf(
    step('hook.object-back', { ...about, work, undoes: 'h1/w1/web@one/stopped-one' }),
  ).join('\n');

describe('what is done to objects, by hand', () => {
  it.each([
    [
      { type: 'merge', object: 'ConfigMap/web', data: { A: "it's", B: null } },
      `patch ConfigMap/web --type merge -p '{"data":{"A":"it'\\''s","B":null}}'`,
    ],
    [
      { type: 'secret', object: 'Secret/web', data: { A: '${LIFTLOCK_SECRET_A}' }, replace: true },
      'create secret generic web --from-literal="A=${LIFTLOCK_SECRET_A}"',
    ],
    [
      { type: 'secret', object: 'Secret/web', data: { A: 'a', B: null } },
      `patch Secret/web --type merge -p '{"data":{"B":null}}'`,
    ],
    [{ type: 'delete', object: 'Service/web' }, 'delete Service/web --cascade=foreground --wait'],
    [{ type: 'apply', path: '/srv/web' }, 'kubectl kustomize /srv/web | kubectl'],
    [{ type: 'apply', path: '/srv/web.yaml', force: true }, '--force-conflicts -f -'],
    [
      {
        ...{ type: 'patch', object: 'Cluster.example.com/web', patch: { spec: { size: 3 } } },
        until: { condition: 'Ready' },
      },
      'wait --for=condition=Ready --timeout=300s Cluster.example.com/web',
    ],
    [
      {
        ...{ type: 'patch', object: 'Cluster.example.com/web', patch: {} },
        until: { jsonPath: '{.status.phase}', equals: 'Running' },
      },
      "wait '--for=jsonpath={.status.phase}=Running'",
    ],
    [
      { type: 'cordon', nodes: { selector: { zone: 'a', disk: 'ssd' } } },
      'cordon -l zone=a,disk=ssd',
    ],
    [
      {
        ...{ type: 'drain', nodes: { names: ['n1', 'n2'] }, deadlineSeconds: 60 },
        ...{ deleteEmptyDirData: true, evictUnmanaged: true, gracePeriodSeconds: 5 },
      },
      'drain n1 n2 --ignore-daemonsets --delete-emptydir-data --force --grace-period=5 --timeout=60s',
    ],
  ])('%j', (work, command) => {
    const text = there(work);
    expect(text).toContain(command);
    expect(text).toContain('kubectl -s https://10.0.0.7:6443');
  });

  it('a Secret is kept in its cluster, and in no file', () => {
    const work = { type: 'secret', object: 'Secret/web', data: { A: 'a' } };
    expect(there(work, true)).not.toContain('$BACKUPS');
    expect(there(work, true)).toContain('web-liftlock-old');
    expect(back(work)).toContain('get secret web-liftlock-old');
    const gone = { type: 'delete', object: 'Secret/web' };
    expect(there(gone, true)).not.toContain('$BACKUPS');
    expect(back(gone)).toContain('get secret web-liftlock-old');
  });

  it('what was kept of anything else is put back from where it was written', () => {
    const file = '"$BACKUPS"/h1-w1-web-one-stopped-one.yaml';
    for (const work of [
      { type: 'merge', object: 'ConfigMap/web', data: { A: 'a' } },
      { type: 'delete', object: 'Service/web' },
      { type: 'patch', object: 'Cluster.example.com/web', patch: { spec: {} } },
      { type: 'apply', path: '/srv/web' },
    ]) {
      expect(there(work, true)).toContain(`> ${file}`);
      expect(back(work)).toContain(file);
    }
  });
});

describe('a workload by hand', () => {
  const instance = { container: 'shop/DaemonSet/agent', containerId: 'uid' };
  const keptName = 'shop/ConfigMap/liftlock-daemonset-agent';
  const image = { reference: 'agent:2', digest: `agent@sha256:${'a'.repeat(64)}` };
  const text = (action: ActionName, input: object): string =>
    commandsOf(step(action, input)).join('\n');

  it('a DaemonSet is sent to nodes that there are not, and back', () => {
    expect(text('instance.stop', { ...instance, keptName })).toContain('liftlock.dev/stopped-by');
    expect(text('instance.replace', { ...instance, keptName, image })).toContain(
      '"path":"/spec/template/spec/nodeSelector/liftlock.dev~1stopped-by"',
    );
    expect(text('instance.restore-old', { ...instance, keptName, start: true })).not.toContain(
      'replicas',
    );
  });

  it('what rolls is written down before it is changed, and not stopped', () => {
    const place = { ...instance, container: 'shop/Deployment/web/front' };
    const commands = text('instance.replace', {
      ...{ ...place, keptName: 'shop/ConfigMap/liftlock-deployment-web', image, rolling: true },
      env: { MODE: 'new', OLD: null },
      command: ['serve'],
    });
    expect(commands).toContain('create configmap liftlock-deployment-web');
    expect(commands).toContain(`set image deployment/web front=${image.digest}`);
    expect(commands).toContain('set env deployment/web -c front MODE=new OLD-');
    expect(commands).toContain('args of shop/Deployment/web/front: ["serve"]');
    expect(commands).not.toContain('scale');
  });

  it.each([
    [{ type: 'running' }, '{.status.numberReady}'],
    [{ type: 'health', deadlineSeconds: 90.5 }, 'rollout status daemonset/agent --timeout=91s'],
    [{ type: 'log', patterns: ['ready'] }, 'logs daemonset/agent | grep -E ready'],
    [{ type: 'command', command: ['true'] }, 'exec daemonset/agent -- true'],
    [{ type: 'tcp', host: 'a', port: 80 }, 'nc -z a 80'],
  ])('the check %j', (check, command) => {
    expect(text('instance.check', { container: instance.container, check })).toContain(command);
  });

  it('a command has its variables, and a job the volumes of the container that is named', () => {
    const env = { TOKEN: '${LIFTLOCK_SECRET_T}' };
    expect(
      text('hook.command', {
        container: instance.container,
        work: { type: 'command', command: ['migrate'], env },
      }),
    ).toContain('exec daemonset/agent -- env "TOKEN=${LIFTLOCK_SECRET_T}" migrate');
    const job = text('hook.job', {
      ...{ container: 'shop/Deployment/web/front', image },
      work: { type: 'job', env, volumesFrom: true, network: 'host', user: '7' },
    });
    expect(job).toContain('map(select(.name == "front"))[0]');
    expect(job).toContain('hostNetwork: true');
    expect(job).toContain('"runAsUser":7}');
    expect(job).toContain('--arg e0 "${LIFTLOCK_SECRET_T}"');
  });
});
