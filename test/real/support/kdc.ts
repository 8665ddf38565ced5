// A Kerberos realm, TEST.LOCAL: MIT's KDC on the loopback interface, with its principals and its log.
import '../../support/throwaway';
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { scratch } from '../../support/profile';
import { listens, Server } from './server';

const PORT = 8888;

const KRB5_CONF = `[libdefaults]
  default_realm = TEST.LOCAL
  dns_lookup_kdc = false
  dns_lookup_realm = false
  rdns = false
  dns_canonicalize_hostname = false
  udp_preference_limit = 1
[realms]
  TEST.LOCAL = {
    kdc = 127.0.0.1:${PORT}
  }
`;

/** A realm; each principal has its password and must prove it before it gets a ticket. */
export class Realm {
  readonly #log: string;
  #server: Server;

  private constructor(log: string, server: Server) {
    this.#log = log;
    this.#server = server;
  }

  static async start(passwords: Readonly<Record<string, string>>): Promise<Realm> {
    const directory = scratch();
    const log = join(directory, 'kdc.log');
    writeFileSync('/etc/krb5.conf', KRB5_CONF);
    mkdirSync('/etc/krb5kdc', { recursive: true });
    writeFileSync('/etc/krb5kdc/kdc.conf', kdcConf(directory, log));
    writeFileSync(log, '');
    rmSync('/etc/krb5.keytab', { force: true });
    execFileSync('kdb5_util', ['create', '-s', '-r', 'TEST.LOCAL', '-P', 'master'], { stdio: 'ignore' });
    kadmin('addprinc -randkey host/localhost', 'ktadd -k /etc/krb5.keytab host/localhost');
    const realm = new Realm(log, await startKdc());
    for (const [name, password] of Object.entries(passwords)) realm.add(name, password);
    return realm;
  }

  add(name: string, password: string, ...options: string[]): void {
    kadmin(`addprinc +requires_preauth ${options.join(' ')} -pw "${password}" ${name}`);
  }

  /** The KDC's log lines about a principal, since the start or the last call of `forget`. */
  requests(name: string): string[] {
    return readFileSync(this.#log, 'utf8')
      .split('\n')
      .filter((line) => line.includes(` ${name}@TEST.LOCAL for `));
  }

  /** How many wrong passwords the KDC has counted: what locks an account. */
  failures(name: string): number {
    const text = execFileSync('kadmin.local', ['-q', `getprinc ${name}`], { encoding: 'utf8' });
    return Number(/^Failed password attempts: (\d+)$/m.exec(text)?.[1]);
  }

  forget(): void {
    writeFileSync(this.#log, '');
  }

  /** The KDC is gone, as in an outage. */
  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async resume(): Promise<void> {
    this.#server = await startKdc();
  }
}

function startKdc(): Promise<Server> {
  return Server.start('krb5kdc', ['-n', '-P', '/run/krb5kdc.pid'], () => listens(PORT));
}

function kadmin(...commands: string[]): void {
  const output = execFileSync('kadmin.local', {
    input: `${commands.join('\n')}\n`,
    encoding: 'utf8',
    stdio: 'pipe',
  });
  if (/rror|unknown/i.test(output)) throw new Error(output);
}

function kdcConf(directory: string, log: string): string {
  return `[kdcdefaults]
  kdc_listen = 127.0.0.1:${PORT}
  kdc_tcp_listen = 127.0.0.1:${PORT}
[realms]
  TEST.LOCAL = {
    database_name = ${directory}/principal
    key_stash_file = ${directory}/stash
    max_life = 10h
    supported_enctypes = aes256-cts-hmac-sha1-96:normal
  }
[logging]
  kdc = FILE:${log}
`;
}
