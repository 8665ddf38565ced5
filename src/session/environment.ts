// Which variables R sees; pure.
import type { Bytes } from '../bytes';

/** Variables of the caller: none but the terminal's and the locale's, all, or those named. */
export type Preserve = 'none' | 'all' | readonly Bytes[];

/** What an environment is made of, in the order in which later entries override earlier ones. */
export interface EnvironmentRequest {
  readonly account: { readonly name: Bytes; readonly home: Bytes; readonly shell: Bytes };
  readonly loginPath: Bytes;
  readonly caller: ReadonlyMap<Bytes, Bytes>;
  readonly preserve: Preserve;
  readonly ldLibraryPath: Bytes | undefined;
  /** `NAME=value` entries from pam_getenvlist(3). */
  readonly pam: readonly Bytes[];
  /** What the command line sets. */
  readonly set: readonly (readonly [Bytes, Bytes])[];
}

/** Kept from the caller always: how the terminal works and how the person writes. */
const KEPT = /^(TERM|COLORTERM|NO_COLOR|LANG|LC_.+|TZ)$/;

/** They describe the caller's own login session; with another user's identity they are wrong or harmful. */
const CALLERS_OWN =
  /^(HOME|SHELL|USER|LOGNAME|MAIL|PWD|OLDPWD|XDG_(RUNTIME_DIR|SESSION_\w+|SEAT|VTNR)|DBUS_SESSION_BUS_ADDRESS|SUDO_\w+)$/;

/**
 * The environment of the command, as su --login gives it, with PAM's variables over it (su(1), ENVIRONMENT)
 * and those of the command line last.
 */
export function buildEnvironment(request: EnvironmentRequest): Map<Bytes, Bytes> {
  const { account, caller, preserve } = request;
  const environment = new Map<Bytes, Bytes>();
  for (const [name, value] of caller) {
    if (keeps(name, preserve)) environment.set(name, value);
  }
  const identity: readonly (readonly [string, Bytes])[] = [
    ['HOME', account.home],
    ['SHELL', account.shell],
    ['USER', account.name],
    ['LOGNAME', account.name],
    ['PATH', request.loginPath],
  ];
  for (const [name, value] of identity) {
    if (!environment.has(name as Bytes)) environment.set(name as Bytes, value);
  }
  if (request.ldLibraryPath !== undefined) environment.set('LD_LIBRARY_PATH' as Bytes, request.ldLibraryPath);
  for (const entry of request.pam) {
    const equals = entry.indexOf('=');
    if (equals > 0) environment.set(entry.slice(0, equals) as Bytes, entry.slice(equals + 1) as Bytes);
  }
  for (const [name, value] of request.set) environment.set(name, value);
  return environment;
}

function keeps(name: Bytes, preserve: Preserve): boolean {
  if (preserve === 'all') return !CALLERS_OWN.test(name);
  return KEPT.test(name) || (preserve !== 'none' && preserve.includes(name));
}

/** `NAME=value` entries for execve(2). */
export function environmentEntries(environment: ReadonlyMap<Bytes, Bytes>): Bytes[] {
  return Array.from(environment, ([name, value]) => `${name}=${value}` as Bytes);
}
