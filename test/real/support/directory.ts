// A directory, dc=test,dc=local: slapd on the loopback interface with users and groups, and sssd that looks there.
import '../../support/throwaway';
import { execFileSync, spawnSync } from 'node:child_process';
import { chmodSync, mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { scratch } from '../../support/profile';
import { listens, Server } from './server';

const PORT = 6360;
const BASE = 'dc=test,dc=local';

/** A user who exists in the directory and nowhere else; the group of the same number is `staff-ldap`. */
export interface DirectoryUser {
  readonly name: string;
  readonly uid: number;
  readonly password: string;
  readonly attributes?: readonly string[];
}

export interface DirectoryGroup {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

/** slapd with its users. sssd refuses to send passwords without TLS. */
export class Directory {
  readonly #files: string;
  #server: Server;

  private constructor(files: string, server: Server) {
    this.#files = files;
    this.#server = server;
  }

  static async start(users: readonly DirectoryUser[], groups: readonly DirectoryGroup[]): Promise<Directory> {
    const files = scratch();
    mkdirSync(join(files, 'db'));
    execFileSync(
      'openssl',
      [
        ...'req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost'.split(
          ' ',
        ),
        ...['-keyout', `${files}/key.pem`, '-out', `${files}/certificate.pem`],
        ...['-addext', `subjectAltName=DNS:localhost,DNS:${hostname()},IP:127.0.0.1`],
      ],
      { stdio: 'ignore' },
    );
    writeFileSync(join(files, 'slapd.conf'), slapdConf(files));
    const entries = [...base(), ...users.map(userEntry), ...groups.map(groupEntry)].join('\n');
    execFileSync('slapadd', ['-f', `${files}/slapd.conf`], {
      input: entries,
      stdio: ['pipe', 'ignore', 'ignore'],
    });
    return new Directory(files, await startSlapd(files));
  }

  /** The file that shows sssd that it is this server. */
  get certificate(): string {
    return join(this.#files, 'certificate.pem');
  }

  /** The directory is gone, as in an outage. */
  async stop(): Promise<void> {
    await this.#server.stop();
  }

  async resume(): Promise<void> {
    this.#server = await startSlapd(this.#files);
  }
}

/** sssd with one domain; its lines come behind those that every test needs. */
export class Sssd {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @param known a user of the directory: sssd is ready when it knows this one */
  static async start(directory: Directory, known: string, ...lines: string[]): Promise<Sssd> {
    mkdirSync('/etc/sssd', { recursive: true });
    mkdirSync('/run/sssd', { recursive: true });
    for (const file of readdirSync('/var/lib/sss/db')) rmSync(`/var/lib/sss/db/${file}`);
    forgetUsers();
    writeFileSync('/etc/sssd/sssd.conf', sssdConf(directory.certificate, lines));
    chmodSync('/etc/sssd/sssd.conf', 0o600);
    // Otherwise it forks, and its parent waits for all of it first.
    const isReady = () => spawnSync('getent', ['passwd', '-s', 'sss', known]).status === 0;
    return new Sssd(await Server.start('sssd', ['-i', '--logger=files'], isReady));
  }

  async stop(): Promise<void> {
    await this.#server.stop();
  }
}

/** Empties the cache through which programs see users of sssd for minutes, also when it has gone. */
export function forgetUsers(): void {
  for (const file of readdirSync('/var/lib/sss/mc')) rmSync(`/var/lib/sss/mc/${file}`);
}

function startSlapd(files: string): Promise<Server> {
  const words = ['-f', `${files}/slapd.conf`, '-h', `ldaps://127.0.0.1:${PORT}`, '-d', '0'];
  return Server.start('slapd', words, () => listens(PORT));
}

function slapdConf(files: string): string {
  const schemas = ['core', 'cosine', 'nis', 'inetorgperson'];
  return `${schemas.map((schema) => `include /etc/ldap/schema/${schema}.schema`).join('\n')}
modulepath /usr/lib/ldap
moduleload back_mdb
pidfile ${files}/slapd.pid
TLSCertificateFile ${files}/certificate.pem
TLSCertificateKeyFile ${files}/key.pem
database mdb
maxsize 10485760
suffix "${BASE}"
directory ${files}/db
access to attrs=userPassword by anonymous auth by * none
access to * by * read
`;
}

function sssdConf(certificate: string, lines: readonly string[]): string {
  return `[sssd]
services = nss, pam
domains = TEST
[domain/TEST]
id_provider = ldap
ldap_uri = ldaps://localhost:${PORT}
ldap_search_base = ${BASE}
ldap_tls_cacert = ${certificate}
cache_credentials = false
enumerate = false
chpass_provider = none
${lines.join('\n')}
`;
}

function base(): string[] {
  const unit = (name: string): string =>
    `dn: ou=${name},${BASE}\nobjectClass: organizationalUnit\nou: ${name}\n`;
  return [
    `dn: ${BASE}\nobjectClass: dcObject\nobjectClass: organization\no: test\ndc: test\n`,
    unit('people'),
    unit('groups'),
    groupEntry({ name: 'staff-ldap', gid: 20_000, members: [] }),
  ];
}

function userEntry({ name, uid, password, attributes = [] }: DirectoryUser): string {
  return `dn: uid=${name},ou=people,${BASE}
objectClass: inetOrgPerson
objectClass: posixAccount
objectClass: shadowAccount
cn: ${name}
sn: ${name}
uid: ${name}
uidNumber: ${uid}
gidNumber: 20000
homeDirectory: /home/${name}
loginShell: /bin/bash
userPassword: ${password}
${attributes.map((line) => `${line}\n`).join('')}`;
}

function groupEntry({ name, gid, members }: DirectoryGroup): string {
  return `dn: cn=${name},ou=groups,${BASE}
objectClass: posixGroup
cn: ${name}
gidNumber: ${gid}
${members.map((member) => `memberUid: ${member}\n`).join('')}`;
}
