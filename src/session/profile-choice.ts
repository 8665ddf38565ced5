// Which profile libpam will really use; pure.
import { type Bytes, shown, toText } from '../bytes';
import { describeOrigin, type Origin, profileNameProblem } from '../config/settings';
import { Failure } from '../errors';

/** A profile as found on this machine. */
export interface FoundProfile {
  readonly service: string;
  readonly path: string | undefined;
  readonly searched: readonly string[];
  readonly problem: string | undefined;
  readonly text: string;
}

/** The profile of a plan. */
export interface ChosenProfile {
  readonly service: string;
  /** Empty where PAM is off. */
  readonly file: string;
  /** The file with the files that it includes. */
  readonly text: string;
  readonly origin: Origin;
}

/** The profile by its name, where it comes from, and whether libpam may use `other` instead. */
export function planProfile(
  { name: bytes, origin, allowOther }: { name: Bytes; origin: Origin; allowOther: boolean },
  situation: { findProfile(service: string): FoundProfile },
): ChosenProfile {
  const name = toText(bytes);
  const problem = profileNameProblem(name);
  if (problem !== undefined) throw new Failure('usage', `--profile ${shown(bytes)}: ${problem}`);
  const { service, path, searched, problem: unusable, text } = situation.findProfile(name);
  if (unusable !== undefined)
    throw new Failure('no-profile', `PAM profile "${service}": ${path} ${unusable}`);
  if (path !== undefined) return { service, file: path, text, origin };
  const wanted = `PAM profile "${shown(bytes)}" (${describeOrigin(origin)})`;
  if (allowOther) {
    const other = situation.findProfile('other');
    if (other.path !== undefined) return { service, file: other.path, text: other.text, origin };
    throw new Failure('no-profile', `${wanted} does not exist, and neither does "other"`);
  }
  throw new Failure('no-profile', `${wanted} does not exist: looked for ${searched.join(' and ')}`, {
    hint: 'name another with --profile, or let libpam use "other" with --allow-other',
  });
}
