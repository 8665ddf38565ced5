// Byte strings: what the kernel and libpam exchange (arguments, environment, paths) are bytes, not text.

/**
 * A string in which every character is one byte (0–255), without NUL.
 * Arguments, environment entries and paths keep this form from end to end, so that a value that is not
 * UTF-8 reaches the command unchanged (execve(2) knows bytes only).
 */
export type Bytes = string & { readonly __bytes: unique symbol };

/** Encodes text as UTF-8 bytes. */
export function fromText(text: string): Bytes {
  return unescape(encodeURIComponent(text.replace(/\p{Surrogate}/gu, '\ufffd'))) as Bytes;
}

/** Decodes bytes as UTF-8 for a person to read; bytes that are not UTF-8 are shown as `\xNN`. */
export function toText(bytes: Bytes): string {
  try {
    return decodeURIComponent(escape(bytes));
  } catch {
    return bytes.replace(/[\x80-\xff]/g, (byte) => `\\x${byte.charCodeAt(0).toString(16)}`);
  }
}

/** Bytes for a message: readable, one line, not endless. */
export function shown(bytes: Bytes): string {
  const text = toText(bytes).replace(
    /\p{Cc}/gu,
    (char) => `\\x${char.charCodeAt(0).toString(16).padStart(2, '0')}`,
  );
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}
