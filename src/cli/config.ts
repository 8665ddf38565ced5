// The command `config`: every setting with its value and where it came from.
import { type Bytes, toText } from '../bytes';
import { type Configuration, describeOrigin, SETTING_TABLE, type SettingKey } from '../config/settings';
import { answer, reportWarning, table } from './report';

export interface ConfigOptions {
  readonly config?: Bytes;
  readonly json?: boolean;
}

/** Prints the settings; warnings about contradictory ones go to standard error, or into the JSON. */
export function showConfig(
  options: ConfigOptions,
  loadConfiguration: (path: string | undefined) => Configuration,
): number {
  const path = options.config === undefined ? undefined : toText(options.config);
  const { settings, warnings } = loadConfiguration(path);
  const keys = Object.keys(SETTING_TABLE) as SettingKey[];
  if (options.json) {
    const entries = keys.map((key) => [
      key,
      { value: settings[key].value ?? null, origin: settings[key].origin },
    ]);
    answer(JSON.stringify({ settings: Object.fromEntries(entries), warnings }, null, 2));
    return 0;
  }
  answer(
    table(keys.map((key) => [key, shownValue(settings[key].value), describeOrigin(settings[key].origin)])),
  );
  for (const warning of warnings) reportWarning(warning);
  return 0;
}

/** Booleans in the notation of rserver.conf. */
function shownValue(value: string | boolean | undefined): string {
  if (typeof value === 'boolean') return value ? '1' : '0';
  return value ?? '-';
}
