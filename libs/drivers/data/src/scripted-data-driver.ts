import type { Readable } from 'node:stream';
import type {
  DataDriver,
  DataEntry,
  DataOrigin,
  DataSource,
  DataSpace,
  StepContext,
} from '#drivers/core';
import {
  listChangingData,
  listData,
  measureData,
  readChangingData,
  readData,
  readDataMeasured,
  settleData,
  writeData,
  type ScriptedData,
} from './scripted-data.js';

/** Data that scripts read and write, wherever a platform lets them run. */
export abstract class ScriptedDataDriver implements DataDriver {
  abstract usedBy(context: StepContext, source: DataSource): Promise<string[]>;
  abstract isAsLeft(context: StepContext, source: DataSource): Promise<boolean>;
  abstract origin(context: StepContext, source: DataSource): Promise<DataOrigin>;
  abstract archiver(
    context: StepContext,
    source: Pick<DataSource, 'plain'>,
  ): ReturnType<DataDriver['archiver']>;

  /** Where the data is, and what runs scripts there. */
  protected abstract data(context: StepContext, source: DataSource): Promise<ScriptedData>;

  /** Before anything is read; an error of it is the reading's. */
  protected lookBeforeReading(_context: StepContext, _source: DataSource): Promise<void> {
    return Promise.resolve();
  }

  async list(context: StepContext, source: DataSource): Promise<DataEntry[]> {
    return listData(context, await this.data(context, source));
  }

  async listChanging(context: StepContext, source: DataSource): Promise<DataEntry[]> {
    return listChangingData(context, await this.data(context, source));
  }

  async space(context: StepContext, source: DataSource): Promise<DataSpace> {
    return measureData(await this.data(context, source));
  }

  async read(context: StepContext, source: DataSource): Promise<Readable> {
    await this.lookBeforeReading(context, source);
    return readData(await this.data(context, source));
  }

  async readChanging(context: StepContext, source: DataSource): Promise<Readable> {
    await this.lookBeforeReading(context, source);
    return readChangingData(await this.data(context, source));
  }

  async readMeasured<T>(
    context: StepContext,
    source: DataSource,
    makeRoom: (space: DataSpace) => Promise<T>,
  ): Promise<{ archive: Readable; entries: Promise<DataEntry[]>; room: T }> {
    await this.lookBeforeReading(context, source);
    return readDataMeasured(context, await this.data(context, source), makeRoom);
  }

  async write(
    context: StepContext,
    source: DataSource,
    archive: Readable,
    keepAside?: string,
  ): Promise<void> {
    let data: ScriptedData;
    try {
      data = await this.data(context, source);
    } catch (error) {
      archive.destroy();
      throw error;
    }
    await writeData(data, archive, keepAside);
  }

  async settle(
    context: StepContext,
    source: DataSource,
    keptAside: readonly string[],
  ): Promise<void> {
    await settleData(await this.data(context, source), keptAside);
  }
}
