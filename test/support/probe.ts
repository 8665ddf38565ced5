// A probe that reports what a process inherits, and su(1) and runuser(1) to compare with.
import './throwaway';
import { execFileSync } from 'node:child_process';
import { appendFileSync, chmodSync, existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile, scratch } from './profile';
import { type Outcome, type RunOptions, run, TOOL } from './tool';

/** Texts by name. They are bytes, one character each. */
export type Texts = Readonly<Record<string, string>>;

/** What the probe reports. */
export interface Report {
  readonly properties: Texts;
  readonly environment: Texts;
  readonly argv: readonly string[];
  readonly fds: readonly string[];
}

/** The path of the probe; every user can run it. */
export const PROBE = compileProgram('probe.c', 'rsession-pam-probe');

/** What makes su and runuser take any profile. */
const PROFILE_LIBRARY = compile(join(__dirname, 'probe_su.c'), 'probe_su.so', '-ldl');

const PUTENV_MODULE = compile(join(__dirname, 'probe_putenv.c'), 'probe_putenv.so', '-lpam');

function compileProgram(source: string, name: string): string {
  const output = join('/var/tmp', name);
  if (!existsSync(output)) {
    const own = `${output}.${process.pid}`;
    execFileSync('gcc', ['-Wall', '-Wextra', '-Werror', '-O', '-o', own, join(__dirname, source)]);
    chmodSync(own, 0o755);
    renameSync(own, output);
  }
  return output;
}

/** The words that run a command as the user in a session under the profile. A shell must have `-c text` in it. */
export function su(profile: string, user: string, file: string, ...args: string[]): string[] {
  return [...withProfile(profile), 'su', '-s', file, user, ...args];
}

export function runuser(profile: string, user: string, ...command: string[]): string[] {
  return [...withProfile(profile), 'runuser', '-u', user, '--', ...command];
}

export function openWords(
  options: readonly string[],
  profile: string,
  user: string,
  ...command: string[]
): string[] {
  return [TOOL, 'open', ...options, '-p', profile, user, '--', ...command];
}

/** Words that go in front of su and runuser. */
export function withProfile(profile: string): string[] {
  return ['env', `LD_PRELOAD=${PROFILE_LIBRARY}`, `SU_PROFILE=${profile}`];
}

/** Runs words. */
export function runWords([file = '', ...args]: readonly string[], options: RunOptions = {}): Outcome {
  return run(file, args, options);
}

/** Runs words that end in the probe, and reads its report; anything but success fails the test with the message. */
export function report(words: readonly string[], options: RunOptions = {}): Report {
  const { status, stdout, stderr } = runWords(words, options);
  if (status !== 0) throw new Error(`the probe did not run: status ${status}: ${stderr}${stdout}`);
  const { argv, env, fds, ...properties } = JSON.parse(stdout);
  const environment: Record<string, string> = {};
  for (const entry of env as string[]) {
    const equals = entry.indexOf('=');
    environment[entry.slice(0, equals)] = entry.slice(equals + 1);
  }
  return { properties, environment, argv, fds };
}

/** A user of the test's own: nobody else's processes count for it (nproc), and its home may be filled. */
export function ownUser(shell = '/bin/sh'): { name: string; uid: number; home: string } {
  const uid = 100_000 + Math.floor(Math.random() * 1_000_000_000);
  const name = `own-${uid}`;
  const home = `/home/${name}`;
  appendFileSync('/etc/group', `${name}:x:${uid}:\n`);
  appendFileSync('/etc/passwd', `${name}:x:${uid}:${uid}::${home}:${shell}\n`);
  appendFileSync('/etc/shadow', `${name}:!:20000:0:99999:7:::\n`);
  execFileSync('install', ['-d', '-o', String(uid), '-g', String(uid), home]);
  return { name, uid, home };
}

/** A file of the test's own, which every user can read. */
export function writeScratch(content: string | Buffer, mode = 0o644): string {
  const file = join(scratch(), 'file');
  writeFileSync(file, content);
  chmodSync(file, mode);
  return file;
}

/** What a file holds, as bytes; nothing where it is missing. */
export function readBytes(file: string): string {
  return existsSync(file) ? readFileSync(file, 'latin1') : '';
}

/** The session rule that sets limits, each as in limits.conf(5) without its domain: `soft nofile 64`. */
export function limitsRule(...limits: string[]): string {
  return `required pam_limits.so conf=${writeScratch(limits.map((limit) => `* ${limit}\n`).join(''))}`;
}

/** The session rule that sets variables, each `NAME=value`, as pam_env does and without its limits. */
export function putenvRule(...entries: string[]): string {
  return `required ${PUTENV_MODULE} ${writeScratch(Buffer.from(entries.map((entry) => `${entry}\0`).join(''), 'latin1'))}`;
}
