import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** An authority and what it signed, made by openssl, in a folder of its own. */
export class Certificates {
  private readonly folder = mkdtempSync(join(tmpdir(), 'liftlock-tls-'));

  constructor(name: string) {
    this.openssl(
      ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-days', '2', '-subj', `/CN=${name}`, '-keyout', 'ca.key', '-out', 'ca.pem'],
    );
  }

  /** Makes `<name>.key` and `<name>.pem`. @param alternative `IP:127.0.0.1`, `DNS:…` of a server */
  sign(name: string, use: 'serverAuth' | 'clientAuth', alternative?: string): void {
    this.openssl(
      ...['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'],
      ...['-subj', `/CN=${name}`, '-keyout', `${name}.key`, '-out', `${name}.csr`],
    );
    const names = alternative === undefined ? [] : [`subjectAltName=${alternative}`];
    writeFileSync(this.path(`${name}.ext`), [`extendedKeyUsage=${use}`, ...names, ''].join('\n'));
    this.openssl(
      ...['x509', '-req', '-days', '2', '-in', `${name}.csr`, '-extfile', `${name}.ext`],
      ...['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-out', `${name}.pem`],
    );
  }

  path(file: string): string {
    return join(this.folder, file);
  }

  read(file: string): string {
    return readFileSync(this.path(file), 'utf8');
  }

  remove(): void {
    rmSync(this.folder, { recursive: true, force: true });
  }

  private openssl(...args: string[]): void {
    execFileSync('openssl', args, { cwd: this.folder, stdio: ['ignore', 'ignore', 'pipe'] });
  }
}
