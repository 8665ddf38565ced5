// Decides everything that can be decided before PAM is asked: a request and a situation in, a plan out; pure.
import { type Bytes, fromText } from '../bytes';
import { describeOrigin, type Origin, type Setting, type Settings } from '../config/settings';
import { Failure } from '../errors';
import { type CommandLine, directCommand, loginCommand } from './command';
import type { EnvironmentRequest, Preserve } from './environment';
import { type PasswordRequest, type PasswordSituation, type PasswordSource, planPassword } from './password';
import { type FoundProfile, planProfile } from './profile-choice';
import { onlyRoot, type People, type PlannedAccount, planPrivilege, requireAccount } from './who';

/** What the command line asks for. */
export interface OpenRequest {
  readonly user: Bytes;
  /** undefined: R. */
  readonly command: readonly Bytes[] | undefined;
  readonly profile: Bytes | undefined;
  readonly onExit: ClosePolicy | undefined;
  readonly login: boolean;
  readonly directory: Bytes | undefined;
  readonly set: readonly (readonly [Bytes, Bytes])[];
  readonly preserve: Preserve;
  readonly tty: Bytes | undefined;
  readonly ruser: Bytes | undefined;
  readonly rhost: Bytes | undefined;
  readonly allowOther: boolean;
  /** Seconds; undefined: ten. */
  readonly stopTimeout: number | undefined;
  readonly exec: boolean;
  readonly password: PasswordRequest;
  /** The plan is only shown: everybody may ask what root would do. */
  readonly show: boolean;
}

/** What becomes of the PAM session when the command ends. */
export type ClosePolicy = 'keep' | 'close';

/** What this machine and this process look like. */
export interface Situation extends People, PasswordSituation {
  findProfile(service: string): FoundProfile;
  loginPath(uid: number): Bytes;
}

/** How the modules' questions are answered. */
export interface ConversationPolicy {
  readonly requirePasswordPrompt: boolean;
  readonly allowSwap: boolean;
  /** What the person at the terminal is asked: everything but the password, only a new password, or nothing. */
  readonly person: 'everything' | 'new password' | 'nothing';
}

/** Everything that will be done; printed by --dry-run. */
export interface SessionPlan {
  readonly account: PlannedAccount;
  /** root switches to the account; the account itself can open a session only for itself. */
  readonly privilege: 'root' | 'same-user';
  readonly pam: Setting<boolean>;
  readonly profile: {
    readonly service: string;
    readonly file: string;
    readonly text: string;
    readonly origin: Origin;
  };
  readonly items: {
    readonly tty: Bytes | undefined;
    readonly ruser: Bytes;
    readonly rhost: Bytes | undefined;
  };
  readonly command: CommandLine;
  readonly commandOrigin: Origin;
  /** undefined: the caller's directory. */
  readonly directory: Setting<Bytes | undefined>;
  readonly environment: Omit<EnvironmentRequest, 'pam'>;
  readonly onExit: Setting<ClosePolicy>;
  readonly stopTimeout: Setting<number>;
  readonly exec: boolean;
  readonly password: Setting<PasswordSource>;
  readonly conversation: ConversationPolicy;
  /** Without a terminal the command leads a session of its own, so that its whole group can be ended. */
  readonly newSession: boolean;
  readonly warnings: readonly string[];
}

const DEFAULT_STOP_TIMEOUT = 10;

/** The plan of a request. Throws Failure for what cannot work whatever PAM says. */
export function planSession(request: OpenRequest, situation: Situation): SessionPlan {
  const { settings, caller } = situation;
  const account = requireAccount(request.user, situation);
  const privilege = planPrivilege(account, caller, request.show);
  const pam = settings['auth-pam-sessions-enabled'];
  const onExit = planOnExit(request, settings);
  const configured = settings['auth-pam-sessions-profile'];
  const profile = pam.value
    ? planProfile(
        {
          name: request.profile ?? fromText(configured.value),
          origin: request.profile === undefined ? configured.origin : option('--profile'),
          allowOther: request.allowOther,
        },
        situation,
      )
    : { service: configured.value, file: '', text: '', origin: configured.origin };
  const password = pam.value
    ? planPassword(request.password, situation, 'by setting')
    : withoutPassword(request.password, pam);
  const command = request.command ?? [fromText(settings['rsession-which-r'].value ?? 'R')];
  const ldLibraryPath = settings['rsession-ld-library-path'].value;
  return Object.freeze({
    account,
    privilege,
    pam,
    profile,
    items: {
      tty: request.tty ?? situation.terminal,
      ruser: request.ruser ?? caller.name,
      rhost: request.rhost,
    },
    command: request.login ? loginCommand(account.shell, command) : directCommand(command),
    commandOrigin: request.command !== undefined ? option('--') : settings['rsession-which-r'].origin,
    directory: planDirectory(request, account),
    environment: {
      account,
      loginPath: situation.loginPath(account.uid),
      caller: situation.environment,
      preserve: request.preserve,
      ldLibraryPath: ldLibraryPath === undefined ? undefined : fromText(ldLibraryPath),
      set: request.set,
    },
    onExit,
    stopTimeout:
      request.stopTimeout === undefined
        ? { value: DEFAULT_STOP_TIMEOUT, origin: { from: 'default' } }
        : { value: request.stopTimeout, origin: option('--stop-timeout') },
    exec: request.exec,
    password,
    conversation: {
      requirePasswordPrompt: settings['auth-pam-require-password-prompt'].value,
      allowSwap: request.password.allowSwap,
      person: planPerson(password.value, situation),
    },
    newSession: situation.terminal === undefined,
    warnings: [
      ...(pam.value ? [] : [withoutPam(pam)]),
      ...(privilege === 'root' && caller.uid !== 0 ? [onlyRoot(account, caller)] : []),
      ...(password.value.from !== 'none' && privilege === 'root' ? neverAsked(profile) : []),
    ],
  } satisfies SessionPlan);
}

/** Nobody would read it: the command would find it on its standard input. */
function withoutPassword({ ways: [way] }: PasswordRequest, pam: Setting<boolean>): Setting<PasswordSource> {
  if (way === undefined) return { value: { from: 'none' }, origin: pam.origin };
  throw new Failure(
    'usage',
    `${way.option}: PAM sessions are off (auth-pam-sessions-enabled=0, ${describeOrigin(pam.origin)}), nobody takes a password`,
  );
}

/** Without a password nobody expects a question, except where su would ask for a new password. */
function planPerson(password: PasswordSource, situation: Situation): ConversationPolicy['person'] {
  if (password.from !== 'none') return situation.hasTerminal() ? 'everything' : 'nothing';
  return situation.terminal === undefined ? 'nothing' : 'new password';
}

function neverAsked({ service, text }: SessionPlan['profile']): string[] {
  return /^[ \t]*auth[ \t]+sufficient[ \t]+\S*pam_rootok\.so/im.test(text)
    ? [
        `PAM profile "${service}" never asks for the password: "auth sufficient pam_rootok.so" lets root in before; ` +
          'a profile for passwords has no such rule',
      ]
    : [];
}

function option(name: string): Origin {
  return { from: 'option', option: name };
}

function withoutPam(pam: Setting<boolean>): string {
  return (
    `PAM sessions are off (auth-pam-sessions-enabled=0, ${describeOrigin(pam.origin)}): ` +
    "no home directory is made, no drive mounted, no ticket fetched, and no profile's environment and limits are set"
  );
}

function planOnExit(request: OpenRequest, settings: Settings): Setting<ClosePolicy> {
  const configured = settings['auth-pam-sessions-close'];
  if (request.onExit !== undefined) {
    if (request.exec && request.onExit === 'close') {
      throw new Failure(
        'usage',
        '--exec leaves nobody who could close the session: it cannot go with --on-exit close',
      );
    }
    return { value: request.onExit, origin: option('--on-exit') };
  }
  if (request.exec && configured.value) {
    throw new Failure(
      'usage',
      '--exec leaves nobody who could close the session, but auth-pam-sessions-close=1 ' +
        `(${describeOrigin(configured.origin)}) asks for it`,
      { hint: '--on-exit keep overrides the setting' },
    );
  }
  return { value: configured.value ? 'close' : 'keep', origin: configured.origin };
}

function planDirectory(request: OpenRequest, account: PlannedAccount): Setting<Bytes | undefined> {
  if (request.directory !== undefined) return { value: request.directory, origin: option('--cwd') };
  if (request.login) return { value: account.home, origin: option('--login') };
  return { value: undefined, origin: { from: 'default' } };
}
