/** What the engine tells of a layer while it pulls an image, or loads it from an archive. */
export interface LayerProgress {
  readonly status?: string;
  readonly id?: string;
  readonly progressDetail?: { readonly current?: number; readonly total?: number };
}

/** Layers of an image that come, in bytes as they are sent: packed. */
export class PulledLayers {
  private readonly layers = new Map<string, { done: number; total: number }>();

  get doneBytes(): number {
    return this.sum(({ done }) => done);
  }

  /** Of those whose size the engine has told by now. */
  get totalBytes(): number {
    return this.sum(({ total }) => total);
  }

  /** @returns whether it was about a layer's bytes */
  add({ status = '', id, progressDetail }: LayerProgress): boolean {
    if (id === undefined) return false;
    const known = this.layers.get(id);
    if (
      known !== undefined &&
      /^(Download complete|Verifying|Extracting|Pull complete)/.test(status)
    )
      known.done = known.total;
    else if (/^(Downloading|Loading layer)$/.test(status) && (progressDetail?.total ?? 0) > 0)
      this.layers.set(id, {
        done: progressDetail?.current ?? 0,
        total: progressDetail?.total ?? 0,
      });
    else return false;
    return true;
  }

  private sum(of: (layer: { readonly done: number; readonly total: number }) => number): number {
    return [...this.layers.values()].reduce((all, layer) => all + of(layer), 0);
  }
}
