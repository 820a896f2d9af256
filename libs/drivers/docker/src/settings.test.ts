import { describe, expect, test } from 'vitest';
import { HOST_CONFIG_FIELDS } from '../test/inspect-fields.js';
import type { ContainerInfo, ImageInfo } from './engine.js';
import { containerSettings } from './settings.js';

type Fields = Record<string, unknown>;

function settingsOf(
  config: Fields,
  image: Fields = {},
  hostConfig: Fields = {},
  command?: string[],
): Fields {
  const old = {
    Id: 'a'.repeat(64),
    Config: { Hostname: 'aaaaaaaaaaaa', Domainname: '', ...config },
    HostConfig: hostConfig,
    Mounts: [],
    NetworkSettings: { Networks: {} },
  } as unknown as ContainerInfo;
  return containerSettings({
    old,
    oldImage: { Id: 'old', Config: image } as unknown as ImageInfo,
    newImage: { Id: 'new', Config: {} } as unknown as ImageInfo,
    referred: new Map(),
    engineHost: 'host',
    restartPolicy: { Name: 'no' },
    env: {},
    command,
    labels: {},
  });
}

describe('the body of the create call', () => {
  test('has every host setting as it was, those that this machine’s engine drops included', () => {
    const kept = Object.entries(HOST_CONFIG_FIELDS)
      .filter(([key, { from }]) => from === 'kept' && key !== 'RestartPolicy')
      .map(([key]) => key);
    expect(kept.length).toBeGreaterThan(60);
    const listed = new Set(['Links', 'VolumesFrom', 'Mounts']);
    const values = Object.fromEntries(
      kept.map((key) => [key, listed.has(key) ? undefined : `a value of ${key}`]),
    );
    expect(settingsOf({}, {}, values)['HostConfig']).toMatchObject(values);
  });

  test('has a setting of an engine that is newer than this code', () => {
    expect(settingsOf({ Later: 1 }, {}, { Later: 2 })).toMatchObject({
      Later: 1,
      HostConfig: { Later: 2 },
    });
  });

  describe('has of entrypoint and command', () => {
    const image = { Entrypoint: ['/run'], Cmd: ['serve'] };
    test.each([
      ['nothing when both are the image’s', { ...image }, {}],
      ['the command when a user set it', { ...image, Cmd: ['mine'] }, { Cmd: ['mine'] }],
      [
        'both when a user set the entrypoint, also with the image’s command',
        { Entrypoint: ['/mine'], Cmd: ['serve'] },
        { Entrypoint: ['/mine'], Cmd: ['serve'] },
      ],
      [
        'both when a user wrote the image’s own entrypoint, for then the image’s command does not count',
        { Entrypoint: ['/run'], Cmd: null },
        { Entrypoint: ['/run'], Cmd: [] },
      ],
      [
        'that there is to be no entrypoint',
        { Entrypoint: null, Cmd: ['serve'] },
        { Entrypoint: [''], Cmd: ['serve'] },
      ],
    ])('%s', (_what, config, expected) => {
      const { Entrypoint, Cmd } = settingsOf(config, image);
      expect({
        ...(Entrypoint === undefined ? {} : { Entrypoint }),
        ...(Cmd === undefined ? {} : { Cmd }),
      }).toEqual(expected);
    });

    test('the release’s command in any case', () => {
      expect(settingsOf({ ...image, Cmd: ['mine'] }, image, {}, ['wanted'])['Cmd']).toEqual([
        'wanted',
      ]);
    });
  });

  test('has only those parts of a health check that are not the image’s', () => {
    const image = { Healthcheck: { Test: ['CMD', 'image'], Interval: 5 } };
    const own = (Healthcheck: object): unknown => settingsOf({ Healthcheck }, image)['Healthcheck'];
    expect(own({ Test: ['CMD', 'image'], Interval: 5 })).toBeUndefined();
    expect(own({ Test: ['CMD', 'image'], Interval: 7, Retries: 2 })).toEqual({
      Interval: 7,
      Retries: 2,
    });
    expect(own({ Test: ['NONE'] })).toEqual({ Test: ['NONE'] });
  });

  test('takes a variable or label with the image’s own value for the image’s', () => {
    const settings = settingsOf(
      { Env: ['SAME=1', 'MINE=2'], Labels: { same: '1', mine: '2' } },
      { Env: ['SAME=1', 'MINE=1'], Labels: { same: '1', mine: '1' } },
    );
    expect(settings['Env']).toEqual(['MINE=2']);
    expect(settings['Labels']).toMatchObject({ mine: '2' });
    expect(settings['Labels']).not.toHaveProperty('same');
  });
});
