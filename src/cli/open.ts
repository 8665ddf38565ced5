// The command `open`: options to a request, a plan to a session or to its description.
import { type Bytes, fromText, shown, toText } from '../bytes';
import type { Configuration } from '../config/settings';
import { type CommandEnd, commandStatus, Failure } from '../errors';
import type { AuthenticationPlan } from '../session/authenticate';
import {
  type ClosePolicy,
  type OpenRequest,
  planSession,
  type SessionPlan,
  type Situation,
} from '../session/plan';
import type { SessionListener } from '../session/session-system';
import { type PasswordOptions, passwordRequest } from './password-options';
import { answer, reportSignal, reportStep, reportWarning } from './report';
import { describePlan, planAsJson } from './show-plan';

/** Options as commander collects them; every text is bytes as the caller gave them. */
export interface OpenOptions extends PasswordOptions {
  readonly profile?: Bytes;
  readonly config?: Bytes;
  readonly onExit?: Bytes;
  readonly login?: boolean;
  readonly cwd?: Bytes;
  readonly env?: readonly Bytes[];
  readonly preserveEnv?: Bytes;
  readonly tty?: Bytes;
  readonly ruser?: Bytes;
  readonly rhost?: Bytes;
  readonly allowOther?: boolean;
  readonly stopTimeout?: Bytes;
  readonly exec?: boolean;
  readonly dryRun?: boolean;
  readonly json?: boolean;
  readonly verbose?: boolean;
}

/** What `open` needs from outside, built in main.ts. */
export interface OpenServices {
  loadConfiguration(path: string | undefined): Configuration;
  observe(configuration: Configuration): Situation;
  authenticate(plan: AuthenticationPlan, listener: Pick<SessionListener, 'step'>): Promise<void>;
  groupNames(plan: SessionPlan): string[];
  run(plan: SessionPlan, listener: SessionListener): Promise<CommandEnd>;
  describeSignal(signal: number): string;
}

/** Stands for "all" where --preserve-env comes without names. */
export const ALL_NAMES = '*' as Bytes;

/** Runs `open` and returns the exit status. Throws Failure. */
export async function open(
  user: Bytes,
  command: readonly Bytes[] | undefined,
  options: OpenOptions,
  services: OpenServices,
): Promise<number> {
  const request = openRequest(user, command, options);
  const configuration = services.loadConfiguration(
    options.config === undefined ? undefined : toText(options.config),
  );
  const plan = planSession(request, services.observe(configuration));
  if (request.show) {
    const groups = services.groupNames(plan);
    answer(options.json ? planAsJson(plan, groups) : describePlan(plan, groups));
    return 0;
  }
  for (const warning of plan.warnings) reportWarning(warning);
  const end = await services.run(plan, {
    step: options.verbose ? reportStep : () => undefined,
    warn: reportWarning,
  });
  if ('signal' in end) {
    reportSignal(
      shown(plan.command.argv[0] ?? ('' as Bytes)),
      services.describeSignal(end.signal),
      end.coreDumped,
    );
  }
  return commandStatus(end);
}

function openRequest(user: Bytes, command: readonly Bytes[] | undefined, options: OpenOptions): OpenRequest {
  return {
    user,
    command,
    profile: options.profile,
    onExit: parseOnExit(options.onExit),
    login: options.login ?? false,
    directory: options.cwd,
    set: (options.env ?? []).map(parseAssignment),
    preserve: parsePreserve(options.preserveEnv),
    tty: options.tty,
    ruser: options.ruser,
    rhost: options.rhost,
    allowOther: options.allowOther ?? false,
    stopTimeout: parseStopTimeout(options.stopTimeout),
    exec: options.exec ?? false,
    password: passwordRequest(options),
    show: (options.dryRun ?? false) || (options.json ?? false),
  };
}

function parseOnExit(text: Bytes | undefined): ClosePolicy | undefined {
  if (text === undefined || text === fromText('keep') || text === fromText('close'))
    return text as ClosePolicy | undefined;
  throw new Failure('usage', `--on-exit ${shown(text)}: must be keep or close`);
}

function parseAssignment(text: Bytes): readonly [Bytes, Bytes] {
  const equals = text.indexOf('=');
  if (equals > 0) return [text.slice(0, equals) as Bytes, text.slice(equals + 1) as Bytes];
  throw new Failure('usage', `--env ${shown(text)}: must be NAME=VALUE`, {
    hint: '--preserve-env=NAME keeps a variable of the caller',
  });
}

function parsePreserve(text: Bytes | undefined): OpenRequest['preserve'] {
  if (text === undefined) return 'none';
  return text === ALL_NAMES ? 'all' : (text.split(',').filter((name) => name !== '') as Bytes[]);
}

function parseStopTimeout(text: Bytes | undefined): number | undefined {
  if (text === undefined) return undefined;
  const seconds = Number(text);
  const longest = 86_400;
  if (/^\d+(\.\d+)?$/.test(text) && seconds <= longest) return seconds;
  throw new Failure(
    'usage',
    `--stop-timeout ${shown(text)}: must be a number of seconds from 0 to ${longest}`,
  );
}
