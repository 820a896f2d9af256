import { describe, expect, it } from 'vitest';
import * as given from '../../test/support/planning-fixture.js';
import { computePlan } from './compute-plan.js';
import { refusalOfOwner } from './owners.js';

describe('a container that belongs to something else', () => {
  it.each([
    ['swarm:shop_web', 'docker service update --image'],
    ['kubelet:prod/web-0', 'change what made the pod'],
    ['nomad:shop', 'nomad job run'],
    ['somebody:new', 'upgrade it there'],
  ])('%s is refused with where it is upgraded: %s', (owner, wayOut) => {
    const text = refusalOfOwner(owner);
    expect(text).toContain(wayOut);
    expect(text).toContain(owner.slice(owner.indexOf(':') + 1));
  });

  it('Compose is upgraded, with what a person has to edit, and what not to run meanwhile', () => {
    const base = given.input();
    const compose = { project: 'shop', service: 'front', files: ['/srv/shop/compose.yml'] };
    const warningsWith = (more: { because?: string }): string => {
      const observations = base.observations.map((observation) => ({
        ...observation,
        containers: observation.containers.map((container) =>
          container.container === 'web'
            ? { ...container, compose: { ...compose, ...more } }
            : container,
        ),
      }));
      const planned = computePlan({ ...base, observations });
      if ('refused' in planned) throw planned.refused;
      return planned.ok.warnings.join('\n');
    };
    const text = warningsWith({});
    expect(text).toContain('set the image of front to web:2.0 in /srv/shop/compose.yml');
    expect(text).toContain('that then finds nothing to change');
    expect(text).toContain('run no `docker compose up`');
    expect(text).toContain('web-liftlock-old');
    expect(warningsWith({ because: 'the file is far away' })).toContain(
      'that makes web once more, for the file is far away',
    );
  });
});
