// The keys of rserver.conf that we know: name, type, default, meaning; and their values with where each came from.
import { Failure } from '../errors';

/** Where a value came from. */
export type Origin =
  | { readonly from: 'default' }
  | { readonly from: 'file'; readonly file: string; readonly line: number }
  | { readonly from: 'option'; readonly option: string }
  | { readonly from: 'setting'; readonly setting: SettingKey };

/** A value and its origin. */
export interface Setting<T> {
  readonly value: T;
  readonly origin: Origin;
}

interface Types {
  boolean: boolean;
  profile: string;
  path: string | undefined;
}

/** The table: one line a key, in the order in which `config` prints them. */
export const SETTING_TABLE = {
  'auth-pam-sessions-enabled': {
    type: 'boolean',
    default: true,
    help: 'open a PAM session around R (default 0 when launcher-sessions-enabled=1)',
  },
  'auth-pam-sessions-profile': { type: 'profile', default: 'su', help: 'the PAM profile of the session' },
  'auth-pam-sessions-use-password': {
    type: 'boolean',
    default: false,
    help: "give the user's password to the session profile",
  },
  'auth-pam-require-password-prompt': {
    type: 'boolean',
    default: true,
    help: 'give the password only to questions that ask for a password',
  },
  'auth-pam-sessions-close': { type: 'boolean', default: false, help: 'close the PAM session when R ends' },
  'launcher-sessions-enabled': {
    type: 'boolean',
    default: false,
    help: 'sessions start through the Job Launcher',
  },
  'launcher-use-ssl': { type: 'boolean', default: false, help: 'the Job Launcher is reached over TLS' },
  'rsession-which-r': { type: 'path', default: undefined, help: 'the R program (default: R on the PATH)' },
  'rsession-ld-library-path': { type: 'path', default: undefined, help: "R's LD_LIBRARY_PATH" },
} as const satisfies Record<string, { type: keyof Types; default: unknown; help: string }>;

export type SettingKey = keyof typeof SETTING_TABLE;

/** All settings by key. */
export type Settings = { readonly [Key in SettingKey]: Setting<Types[(typeof SETTING_TABLE)[Key]['type']]> };

/** One `key=value` line of a file. */
export interface Entry {
  readonly key: string;
  readonly value: string;
  readonly line: number;
}

/** Settings, and what is odd about them. */
export interface Configuration {
  readonly settings: Settings;
  readonly warnings: readonly string[];
}

const DEFAULT_ORIGIN: Origin = { from: 'default' };

/** `file:line`, the option, or `default`: where a person must look to change a value. */
export function describeOrigin(origin: Origin): string {
  switch (origin.from) {
    case 'default':
      return 'default';
    case 'file':
      return `${origin.file}:${origin.line}`;
    case 'option':
      return origin.option;
    case 'setting':
      return `because of ${origin.setting}`;
  }
}

/**
 * Settings from the entries of a file. Keys we do not know belong to other programs and are skipped; when
 * a key stands twice, the last one counts. A bad value is a `config` failure with file and line.
 */
export function configure(entries: readonly Entry[], file: string): Configuration {
  const values = new Map<SettingKey, Setting<unknown>>();
  const warnings: string[] = [];
  for (const { key, value, line } of entries) {
    if (!isSettingKey(key)) continue;
    const earlier = values.get(key);
    if (earlier !== undefined) {
      warnings.push(
        `${key} is set twice: ${describeOrigin(earlier.origin)} is overridden by ${file}:${line}`,
      );
    }
    const parsed = parseValue(SETTING_TABLE[key].type, value);
    if ('problem' in parsed) {
      throw new Failure('config', `${file}:${line}: ${key}=${value}: ${parsed.problem}`);
    }
    values.set(key, { value: parsed.value, origin: { from: 'file', file, line } });
  }
  const settings = Object.fromEntries(
    Object.entries(SETTING_TABLE).map(([key, { default: value }]) => [
      key,
      values.get(key as SettingKey) ?? { value, origin: DEFAULT_ORIGIN },
    ]),
  ) as Settings;
  const launcherTurnsOff =
    settings['launcher-sessions-enabled'].value &&
    settings['auth-pam-sessions-enabled'].origin.from === 'default';
  const effective: Settings = launcherTurnsOff
    ? {
        ...settings,
        'auth-pam-sessions-enabled': {
          value: false,
          origin: { from: 'setting', setting: 'launcher-sessions-enabled' },
        },
      }
    : settings;
  return { settings: effective, warnings: [...warnings, ...contradictions(effective)] };
}

function isSettingKey(key: string): key is SettingKey {
  return Object.hasOwn(SETTING_TABLE, key);
}

function contradictions(settings: Settings): string[] {
  const warnings: string[] = [];
  const enabled = settings['auth-pam-sessions-enabled'];
  if (!enabled.value) {
    for (const key of [
      'auth-pam-sessions-profile',
      'auth-pam-sessions-use-password',
      'auth-pam-sessions-close',
    ] as const) {
      if (settings[key].origin.from !== 'file') continue;
      warnings.push(
        `${key} (${describeOrigin(settings[key].origin)}) has no effect: ` +
          `auth-pam-sessions-enabled is 0 (${describeOrigin(enabled.origin)})`,
      );
    }
  }
  if (settings['auth-pam-sessions-use-password'].value) {
    if (settings['launcher-sessions-enabled'].value && !settings['launcher-use-ssl'].value) {
      warnings.push(
        'auth-pam-sessions-use-password with launcher-sessions-enabled needs launcher-use-ssl=1: ' +
          'passwords are forwarded over TLS only',
      );
    }
  }
  return warnings;
}

type Parsed = { readonly value: unknown } | { readonly problem: string };

function parseValue(type: keyof Types, text: string): Parsed {
  switch (type) {
    case 'boolean':
      return parseBoolean(text);
    case 'profile': {
      const problem = profileNameProblem(text);
      return problem === undefined ? { value: text } : { problem };
    }
    case 'path':
      return text === '' ? { value: undefined } : { value: text };
  }
}

function parseBoolean(text: string): Parsed {
  const value = { '1': true, true: true, yes: true, '0': false, false: false, no: false }[text.toLowerCase()];
  return value === undefined ? { problem: 'must be 0 or 1 (or true, false, yes, no)' } : { value };
}

/**
 * Why a text cannot name a profile, or undefined. pam_start(3) takes what it gets for a path, so a `/` or a
 * `..` would leave /etc/pam.d.
 */
export function profileNameProblem(name: string): string | undefined {
  if (name === '') return 'a profile name must not be empty';
  if (name === '.' || name === '..' || name.includes('/'))
    return 'a profile is a file name in /etc/pam.d, not a path';
  if (/[\s\p{Cc}]/u.test(name)) return 'a profile name holds no blanks and no control characters';
  if (name.length > 255) return 'a profile name has at most 255 characters';
  return undefined;
}
