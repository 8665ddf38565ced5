// Composition root: builds the real parts, runs the command line, ends the process with its status.
import { shown } from './bytes';
import './system/inspector';
import { readFileSync } from 'node:fs';
import { type Bytes, fromText } from './bytes';
import type { OpenServices } from './cli/open';
import { runProgram } from './cli/program';
import { reportFailure, reportMessage } from './cli/report';
import { readEntries } from './config/read';
import { type Configuration, configure } from './config/settings';
import { Failure, failureStatus } from './errors';
import { exitNow } from './ffi/libc';
import { authenticateUser } from './session/authenticate';
import { thisMachine } from './session/machine';
import { type PasswordOptions, passwordSystem } from './session/password-system';
import type { ConversationPolicy } from './session/plan';
import { runSession } from './session/run';
import { findAccount, findAccountById, findGroupName, groupsOf } from './system/account';
import { type Invocation, readInvocation } from './system/invocation';
import { loginPath } from './system/login-defs';
import { findProfile } from './system/profile-files';
import { hasTerminal } from './system/prompt';
import { describeSignal } from './system/signals';
import { stdinTerminal } from './system/terminal';
import { readTrustedFile } from './system/trusted-file';

const DEFAULT_CONFIG = '/etc/rstudio/rserver.conf';

function loadConfiguration(path: string | undefined): Configuration {
  const file = path ?? DEFAULT_CONFIG;
  const text = readTrustedFile(file);
  if (text === undefined && path !== undefined) throw new Failure('config', `${path}: there is no such file`);
  return configure(readEntries(text ?? ''), file);
}

/** Who called: the user who logged in, where the kernel knows it (getlogin(3)), else the real user id. */
function callerName(uid: number): Bytes {
  const unset = 0xffff_ffff;
  let login = unset;
  try {
    login = Number(readFileSync('/proc/self/loginuid', 'latin1'));
  } catch {
    // A kernel without auditing.
  }
  const account = (login !== unset ? findAccountById(login) : undefined) ?? findAccountById(uid);
  return account?.name ?? fromText(String(uid));
}

function services(invocation: Invocation): OpenServices {
  return {
    loadConfiguration,
    observe: ({ settings }) => {
      const uid = process.getuid?.() ?? 0;
      return {
        settings,
        caller: { uid, effectiveUid: process.geteuid?.() ?? 0, name: callerName(uid) },
        terminal: stdinTerminal(),
        environment: invocation.environment,
        descriptors: invocation.descriptors,
        findAccount,
        findAccountById,
        findProfile,
        loginPath,
        hasTerminal,
      };
    },
    groupNames: ({ account }) => groupsOf(account).map((gid) => `${findGroupName(gid) ?? '?'}(${gid})`),
    run: (plan, listener) =>
      runSession(
        plan,
        thisMachine({
          ...passwordOptions(plan.account.name, plan.conversation, invocation),
          signals: { ignored: invocation.ignoredSignals, blocked: invocation.blockedSignals },
          softNofile: invocation.softNofile,
        }),
        listener,
      ),
    authenticate: (plan, listener) =>
      authenticateUser(
        plan,
        passwordSystem(passwordOptions(plan.user, plan.conversation, invocation), []),
        listener,
      ),
    describeSignal,
  };
}

function passwordOptions(
  user: Bytes,
  policy: ConversationPolicy,
  { ignoredSignals }: Invocation,
): PasswordOptions {
  return { policy, show: reportMessage, question: `Password for ${shown(user)}: `, ignoredSignals };
}

async function main(): Promise<number> {
  try {
    const invocation = readInvocation();
    return await runProgram(invocation.args, services(invocation));
  } catch (error) {
    const failure =
      error instanceof Failure
        ? error
        : new Failure(
            'internal',
            `unexpected failure: ${error instanceof Error ? error.stack : String(error)}`,
          );
    reportFailure(failure, describeSignal);
    return failureStatus(failure);
  }
}

// Node's own exit would put the terminal back as it was at the start, over what the command made of it.
void main().then((status) => {
  process.exitCode = status;
  exitNow(status);
});
