// The system log: everything that libpam, modules and programs write to /dev/log.
import '../../support/throwaway';
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, rmSync } from 'node:fs';
import { until } from '../../support/wait';
import { Server } from './server';

// Node has no datagram sockets of the Unix kind.
const COLLECTOR = `
  use Socket;
  umask 0;
  socket(LOG, AF_UNIX, SOCK_DGRAM, 0) && bind(LOG, sockaddr_un('/dev/log')) or die $!;
  $| = 1;
  print "$_\\n" while defined recv(LOG, $_, 65536, 0);
`;

/** The log of this machine from its start on. */
export class SystemLog {
  readonly #server: Server;
  #marks = 0;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<SystemLog> {
    rmSync('/dev/log', { force: true });
    return new SystemLog(await Server.start('perl', ['-e', COLLECTOR], () => existsSync('/dev/log')));
  }

  /** What has been written so far, all of it: datagrams keep their order, so a line of our own is the last one. */
  async text(): Promise<string> {
    const mark = `mark-${process.pid}-${++this.#marks}`;
    execFileSync('logger', [mark]);
    await until('the system log is complete', () => this.#read().includes(mark));
    return this.#read();
  }

  #read(): string {
    return readFileSync(this.#server.log, 'latin1');
  }
}
