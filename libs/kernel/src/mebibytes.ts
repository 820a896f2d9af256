/** Bytes as people read them. @example `12.0 MiB` */
export function mebibytes(bytes: number): string {
  return `${(bytes / 1024 ** 2).toFixed(1)} MiB`;
}
