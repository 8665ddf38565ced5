// The command `authenticate`: is this the user's password, and may the user come in?
import { type Bytes, toText } from '../bytes';
import { type AuthenticationRequest, planAuthentication } from '../session/authenticate';
import type { OpenServices } from './open';
import { type PasswordOptions, passwordRequest } from './password-options';
import { reportStep } from './report';

/** As commander collects them. */
export interface AuthenticateOptions extends PasswordOptions {
  readonly profile?: Bytes;
  readonly config?: Bytes;
  readonly tty?: Bytes;
  readonly ruser?: Bytes;
  readonly rhost?: Bytes;
  readonly verbose?: boolean;
}

/** Returns 0; a refusal is thrown as a failure with status 1. */
export async function authenticate(
  user: Bytes,
  options: AuthenticateOptions,
  services: OpenServices,
): Promise<number> {
  const request: AuthenticationRequest = {
    user,
    profile: options.profile,
    password: passwordRequest(options),
    tty: options.tty,
    ruser: options.ruser,
    rhost: options.rhost,
  };
  const configuration = services.loadConfiguration(
    options.config === undefined ? undefined : toText(options.config),
  );
  const plan = planAuthentication(request, services.observe(configuration));
  await services.authenticate(plan, { step: options.verbose ? reportStep : () => undefined });
  return 0;
}
