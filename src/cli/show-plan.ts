// A plan as --dry-run shows it: for people and as JSON.
import { type Bytes, shown, toText } from '../bytes';
import { describeOrigin } from '../config/settings';
import { buildEnvironment } from '../session/environment';
import { describeSource } from '../session/password';
import type { SessionPlan } from '../session/plan';

/** The plan in lines of name, value and origin. */
export function describePlan(plan: SessionPlan, groups: readonly string[]): string {
  const { account, profile, items } = plan;
  const from = (origin: Parameters<typeof describeOrigin>[0]): string => `(${describeOrigin(origin)})`;
  const rows: string[][] = [
    ['user', `${shown(account.name)} (uid ${account.uid}, gid ${account.gid})`],
    ['groups', `${groups.join(' ')}, and what modules add`],
    ['home', shown(account.home)],
    ['shell', shown(account.shell)],
    ['opened by', plan.privilege === 'root' ? 'root' : 'the user itself, without root'],
    ['PAM session', plan.pam.value ? 'yes' : 'no', from(plan.pam.origin)],
    ['profile', `${profile.service}: ${profile.file || 'none'}`, from(profile.origin)],
    ['PAM_TTY', items.tty === undefined ? 'unset' : shown(items.tty)],
    ['PAM_RUSER', shown(items.ruser)],
    ['PAM_RHOST', items.rhost === undefined ? 'unset' : shown(items.rhost)],
    ['command', plan.command.argv.map(quoteWord).join(' '), from(plan.commandOrigin)],
    [
      'directory',
      plan.directory.value === undefined ? "the caller's" : shown(plan.directory.value),
      from(plan.directory.origin),
    ],
    ['process group', plan.newSession ? 'its own, in a new session' : "the caller's, on its terminal"],
    ['supervised', plan.exec ? 'no, this process becomes the command' : 'yes'],
    ['on exit', plan.onExit.value, from(plan.onExit.origin)],
    ['password', describeSource(plan.password.value), from(plan.password.origin)],
    ['stop timeout', `${plan.stopTimeout.value} s`, from(plan.stopTimeout.origin)],
    ...[...knownEnvironment(plan)].map(([name, value], index) => [
      index === 0 ? 'environment' : '',
      `${shown(name)}=${quoteWord(value)}`,
    ]),
    ['', 'and what the session modules set'],
    ...plan.warnings.map((warning) => ['warning', warning]),
  ];
  return rows
    .map(([name = '', value = '', origin]) => `${name.padEnd(14)}${value}${origin ? ` ${origin}` : ''}`)
    .join('\n');
}

/** The plan for programs. Bytes that are not UTF-8 are shown as `\xNN`. */
export function planAsJson(plan: SessionPlan, groups: readonly string[]): string {
  const text = (bytes: Bytes | undefined): string | null => (bytes === undefined ? null : toText(bytes));
  return JSON.stringify(
    {
      user: {
        name: text(plan.account.name),
        uid: plan.account.uid,
        gid: plan.account.gid,
        home: text(plan.account.home),
        shell: text(plan.account.shell),
        groups,
      },
      privilege: plan.privilege,
      pam: plan.pam,
      profile: {
        service: plan.profile.service,
        file: plan.profile.file || null,
        origin: plan.profile.origin,
      },
      items: {
        PAM_TTY: text(plan.items.tty),
        PAM_RUSER: text(plan.items.ruser),
        PAM_RHOST: text(plan.items.rhost),
      },
      command: {
        file: text(plan.command.file),
        argv: plan.command.argv.map(text),
        origin: plan.commandOrigin,
      },
      directory: { value: text(plan.directory.value), origin: plan.directory.origin },
      environment: Object.fromEntries(
        [...knownEnvironment(plan)].map(([name, value]) => [toText(name), text(value)]),
      ),
      newSession: plan.newSession,
      supervised: !plan.exec,
      onExit: plan.onExit,
      password: { source: plan.password.value, origin: plan.password.origin, ...plan.conversation },
      stopTimeout: plan.stopTimeout,
      warnings: plan.warnings,
    },
    null,
    2,
  );
}

function knownEnvironment(plan: SessionPlan): Map<Bytes, Bytes> {
  return buildEnvironment({ ...plan.environment, pam: [] });
}

/** A word as a POSIX shell would need it, so that it can be copied. */
function quoteWord(bytes: Bytes): string {
  const word = shown(bytes);
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replace(/'/g, `'\\''`)}'`;
}
