// A real server of a test file: started on the loopback interface, ready when it answers, ended with the file.
import '../../support/throwaway';
import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, openSync, readFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { scratch } from '../../support/profile';

const DEADLINE = 20_000;
const running = new Set<Server>();

// Whatever a test file has started and not stopped itself.
afterAll(async () => {
  for (const server of [...running].reverse()) await server.stop();
});

/** A program that runs until it is stopped; what it says is in `log`. */
export class Server {
  readonly log: string;
  readonly #process: ChildProcess;
  readonly #ended: Promise<void>;

  private constructor(file: string, args: readonly string[]) {
    this.log = join(scratch(), 'log');
    const output = openSync(this.log, 'a');
    this.#process = spawn(file, args, { cwd: '/', stdio: ['ignore', output, output] });
    closeSync(output);
    this.#ended = new Promise((resolve) => {
      this.#process.on('error', () => resolve());
      this.#process.on('exit', () => resolve());
    });
    running.add(this);
  }

  /** Starts a program and waits until it is ready; if it ends before that, what it said is the error. */
  static async start(
    file: string,
    args: readonly string[],
    isReady: () => boolean | Promise<boolean>,
  ): Promise<Server> {
    const server = new Server(file, args);
    const deadline = Date.now() + DEADLINE;
    while (!(await isReady())) {
      if (server.#process.exitCode !== null || Date.now() > deadline) {
        throw new Error(`${file} does not answer: ${readFileSync(server.log, 'utf8')}`);
      }
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
    return server;
  }

  get pid(): number {
    return this.#process.pid ?? 0;
  }

  /** Ends it, and waits until it has ended. */
  async stop(): Promise<void> {
    running.delete(this);
    const patience = setTimeout(() => this.#process.kill('SIGKILL'), 3000);
    this.#process.kill('SIGTERM');
    await this.#ended;
    clearTimeout(patience);
  }
}

/** Whether something listens on this port of the loopback interface. */
export function listens(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1');
    socket.on('connect', () => {
      socket.destroy();
      resolve(true);
    });
    socket.on('error', () => resolve(false));
  });
}
