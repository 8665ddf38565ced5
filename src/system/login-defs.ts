// The PATH that login programs give a session (login.defs(5)).
import { readFileSync } from 'node:fs';
import { type Bytes, fromText } from '../bytes';

// util-linux's defaults where login.defs does not set them.
const DEFAULT_PATH = '/usr/local/bin:/bin:/usr/bin';
const DEFAULT_ROOT_PATH = '/usr/local/sbin:/usr/local/bin:/sbin:/bin:/usr/sbin:/usr/bin';

/** ENV_PATH for users, ENV_SUPATH for root; `PATH=` in front of the value is optional (login.defs(5)). */
export function loginPath(uid: number): Bytes {
  const key = uid === 0 ? 'ENV_SUPATH' : 'ENV_PATH';
  const fallback = uid === 0 ? DEFAULT_ROOT_PATH : DEFAULT_PATH;
  let text: string;
  try {
    text = readFileSync('/etc/login.defs', 'utf8');
  } catch {
    return fromText(fallback);
  }
  const value = new RegExp(`^[ \\t]*${key}[ \\t]+(?:PATH=)?"?([^\\s"]+)`, 'm').exec(text)?.[1];
  return fromText(value ?? fallback);
}
