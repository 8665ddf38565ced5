import { type Bytes, fromText } from '../../../src/bytes';
import { PAM_CONV_ERR, STYLE } from '../../../src/pam/constants';
import { type Answers, asksForPassword, converseWith } from '../../../src/pam/conversation';

const PASSWORD = { address: 1n, length: 6 };
const TYPED = { address: 2n, length: 3 };

interface Told {
  readonly style: number;
  readonly text: string;
}

/** Holds one conversation; each array is one call of a module. */
function converse(calls: Told[][], answers: Partial<Answers> = {}) {
  const shown: string[] = [];
  const asked: string[] = [];
  const conversation = converseWith({
    show: (text) => shown.push(text),
    password: () => PASSWORD,
    requirePasswordPrompt: true,
    person: 'nothing',
    ask: (prompt, echo) => {
      asked.push(`${prompt}${echo ? ' (echo)' : ''}`);
      return TYPED;
    },
    ...answers,
  });
  const replies = calls.map((messages) =>
    conversation.converse(messages.map(({ style, text }) => ({ style, text: fromText(text) }))),
  );
  return { replies, shown, asked, conversation };
}

const hidden = (text: string): Told => ({ style: STYLE.promptEchoOff, text });
const open = (text: string): Told => ({ style: STYLE.promptEchoOn, text });

test.each([STYLE.textInfo, STYLE.errorMessage])('a message of style %s is shown and succeeds', (style) => {
  const { replies, shown } = converse([[{ style, text: 'Créating directory\n' }]]);
  expect(replies).toEqual([[undefined]]);
  expect(shown).toEqual(['Créating directory']);
});

test('the password answers a question for it, among messages', () => {
  const { replies } = converse([[{ style: STYLE.textInfo, text: 'Hello' }, hidden('Password: ')]]);
  expect(replies).toEqual([[undefined, PASSWORD]]);
});

test('the same question again means a wrong password and is refused', () => {
  const { replies, conversation } = converse([[hidden('Password: ')], [hidden('Password: ')]]);
  expect(replies).toEqual([[PASSWORD], PAM_CONV_ERR]);
  expect(conversation.endCall().refusal).toEqual({ prompt: 'Password: ', reason: 'again' });
  expect(conversation.endCall().refusal).toBeUndefined();
});

test('the same question in another call of libpam is answered', () => {
  const { conversation, replies } = converse([[hidden('Password: ')]]);
  conversation.endCall();
  expect(conversation.converse([{ style: STYLE.promptEchoOff, text: fromText('Password: ') }])).toEqual(
    replies[0],
  );
});

test('another question for it is answered', () => {
  const { replies } = converse([[hidden('Password: ')], [hidden('reenter password for pam_mount:')]]);
  expect(replies).toEqual([[PASSWORD], [PASSWORD]]);
});

test.each([
  ['Password:', true],
  ['Password: ', true],
  ['Password for alice@TEST.LOCAL: ', true],
  ["alice's Password:", true],
  ['reenter password for pam_mount:', true],
  ['LDAP password', true],
  ['Password for new@CODE.ORG: ', true],
  ['Password for code: ', true],
  ["One-time password (OATH) for `alice':", false],
  ['Verification code: ', false],
  ['New password: ', false],
  ['Retype new password: ', false],
  ['Current password: ', false],
  ['Token: ', false],
  ['PIN:', false],
])('%j asks for the password: %s', (prompt, expected) => {
  expect(asksForPassword(prompt)).toBe(expected);
});

test('any hidden question gets it where the settings say so', () => {
  const { replies } = converse([[hidden('PIN:')]], { requirePasswordPrompt: false });
  expect(replies).toEqual([[PASSWORD]]);
});

test.each([[hidden('PIN:')], [open('login:')], [open('Password:')], [{ style: 7, text: 'Password:' }]])(
  '%j is refused where nobody can be asked',
  (message) => {
    const { replies, conversation } = converse([[message]]);
    expect(replies).toEqual([PAM_CONV_ERR]);
    expect(conversation.endCall().refusal).toEqual({ prompt: message.text, reason: 'nobody' });
  },
);

test('other questions go to the person', () => {
  const { replies, asked } = converse([[hidden('Password: '), hidden('OTP: '), open('Color? ')]], {
    person: 'everything',
  });
  expect(replies).toEqual([[PASSWORD, TYPED, TYPED]]);
  expect(asked).toEqual(['OTP: ', 'Color?  (echo)']);
});

test('a new password is asked of the person, and the old one not given away', () => {
  const { conversation } = converse([], { person: 'new password' });
  conversation.askPersonOnly();
  expect(conversation.converse([{ style: STYLE.promptEchoOff, text: fromText('Password: ') }])).toEqual([
    TYPED,
  ]);
});

test('replies are released when a later question is refused', () => {
  const release = jest.fn();
  const { replies } = converse([[hidden('OTP: '), open('?')]], {
    person: 'everything',
    ask: (prompt) => {
      if (prompt === '?') throw new Error('interrupted');
      return { ...TYPED, release };
    },
  });
  expect(replies).toEqual([PAM_CONV_ERR]);
  expect(release).toHaveBeenCalledTimes(1);
});

test('what goes wrong while answering is kept and does not unwind', () => {
  const { replies, conversation } = converse([[hidden('OTP: ')]], {
    person: 'everything',
    ask: () => {
      throw new Error('no terminal');
    },
  });
  expect(replies).toEqual([PAM_CONV_ERR]);
  expect(conversation.endCall().error).toEqual(new Error('no terminal'));
});

test('control characters do not reach the terminal', () => {
  const shown: string[] = [];
  const { conversation } = converse([], { show: (text) => shown.push(text) });
  conversation.converse([{ style: STYLE.textInfo, text: '\x1b]0;x\x07ok\x9b' as Bytes }]);
  expect(shown).toEqual(['?]0;x?ok\\x9b']);
});
