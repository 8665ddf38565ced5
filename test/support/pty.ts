// A terminal as a person has one: what they type, what they read, the size of its window.
import './throwaway';
import { execFileSync } from 'node:child_process';
import { readlinkSync } from 'node:fs';
import { type IPty, spawn } from '@lydell/node-pty';
import { TOOL } from './tool';

const DEADLINE = 20_000;
const KEYS = { 'Ctrl-C': '\x03', 'Ctrl-D': '\x04', 'Ctrl-Z': '\x1a', 'Ctrl-\\': '\x1c' } as const;

/** What bash shows when it waits for the next command. */
export const PROMPT = 'caller$ ';

/** A pseudo terminal with a program on it, which leads its session. */
export class Terminal {
  static readonly #all = new Set<Terminal>();

  readonly #pty: IPty;
  #unread = '';
  #changed: () => void = () => undefined;

  constructor(file: string, args: readonly string[]) {
    this.#pty = spawn(file, [...args], {
      cwd: '/',
      cols: 100,
      rows: 30,
      env: { PATH: process.env.PATH, HOME: '/root', TERM: 'dumb', LANG: 'C.UTF-8', PS1: PROMPT, TOOL },
    });
    this.#pty.onData((data) => {
      this.#unread += data;
      this.#changed();
    });
    Terminal.#all.add(this);
  }

  /** An interactive bash with job control, at its prompt; the variable TOOL is the launcher. */
  static async bash(): Promise<Terminal> {
    const terminal = new Terminal('/bin/bash', ['--norc', '--noprofile', '--noediting', '-i']);
    await terminal.sees(PROMPT);
    return terminal;
  }

  /**
   * A script of sh, without job control; the variable TOOL is the launcher. The shell stays when the script is done:
   * what is written to a pseudo terminal just before its session ends can get lost.
   */
  static sh(script: string): Terminal {
    return new Terminal('/bin/sh', ['-c', `${script}\nread _`]);
  }

  /** Takes away every terminal there is: their programs get a hangup. */
  static closeAll(): void {
    for (const { pid } of Terminal.#all) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // It has ended.
      }
    }
    Terminal.#all.clear();
  }

  /** The process id of the program. */
  get pid(): number {
    return this.#pty.pid;
  }

  type(line: string): void {
    this.#pty.write(`${line}\r`);
  }

  press(key: keyof typeof KEYS): void {
    this.#pty.write(KEYS[key]);
  }

  resize(columns: number, rows: number): void {
    this.#pty.resize(columns, rows);
  }

  /** Its settings as `stty -a` prints them: `echo`, `-icanon`, … */
  settings(): string[] {
    const device = readlinkSync(`/proc/${this.pid}/fd/0`);
    return execFileSync('stty', ['-a', '-F', device], { encoding: 'utf8' }).split(/[;\s]+/);
  }

  /** Waits for the text, counts everything up to its end as read, and returns that. */
  async sees(text: string | RegExp): Promise<string> {
    const deadline = Date.now() + DEADLINE;
    for (;;) {
      const end = this.#endOf(text);
      if (end !== undefined) {
        const seen = this.#unread.slice(0, end);
        this.#unread = this.#unread.slice(end);
        return seen;
      }
      await this.#more(deadline, text);
    }
  }

  /** Types a command of the shell and returns what it writes, up to the next prompt. */
  async answers(command: string): Promise<string> {
    this.type(command);
    const seen = await this.sees(`\n${PROMPT}`);
    return seen
      .slice(seen.indexOf('\n') + 1, -PROMPT.length)
      .replaceAll('\r', '')
      .trimEnd();
  }

  #endOf(text: string | RegExp): number | undefined {
    if (typeof text === 'string') {
      const start = this.#unread.indexOf(text);
      return start < 0 ? undefined : start + text.length;
    }
    const match = text.exec(this.#unread);
    return match === null ? undefined : match.index + match[0].length;
  }

  async #more(deadline: number, text: string | RegExp): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    await new Promise<void>((resolve, reject) => {
      this.#changed = resolve;
      timer = setTimeout(
        () => reject(new Error(`${text} did not appear; unread: ${JSON.stringify(this.#unread)}`)),
        deadline - Date.now(),
      );
    }).finally(() => clearTimeout(timer));
  }
}
