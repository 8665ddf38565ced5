import { type Bytes, fromText, toText } from '../../src/bytes';

test.each(['', 'R', 'jörg', '日本', '😀', 'a\tb'])('%j survives the way to bytes and back', (text) => {
  expect(toText(fromText(text))).toBe(text);
});

test('one character is one byte', () => {
  expect(fromText('ö')).toBe('\xc3\xb6');
});

test('bytes that are not UTF-8 are shown in hexadecimal', () => {
  expect(toText('a\xff\xc3b' as Bytes)).toBe('a\\xff\\xc3b');
});

test('half a surrogate pair becomes the replacement character', () => {
  expect(toText(fromText('\ud800'))).toBe('\ufffd');
});
