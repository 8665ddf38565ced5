import { type Bytes, fromText } from '../../../src/bytes';
import { PAM_CONV_ERR, PAM_SUCCESS, STYLE } from '../../../src/pam/constants';
import { messagesOnly } from '../../../src/pam/conversation';

function converse(...messages: { style: number; text: Bytes }[]) {
  const shown: string[] = [];
  const conversation = messagesOnly((text) => shown.push(text));
  const code = conversation.converse(messages);
  return { code, shown, conversation };
}

test.each([STYLE.textInfo, STYLE.errorMessage])('a message of style %s is shown and succeeds', (style) => {
  expect(converse({ style, text: fromText('Créating directory\n') })).toMatchObject({
    code: PAM_SUCCESS,
    shown: ['Créating directory'],
  });
});

test.each([STYLE.promptEchoOff, STYLE.promptEchoOn, 7])('a prompt of style %s is refused', (style) => {
  const { code, conversation } = converse({ style, text: fromText('Password: ') });
  expect(code).toBe(PAM_CONV_ERR);
  expect(conversation.takeRefusedPrompt()).toBe('Password:');
  expect(conversation.takeRefusedPrompt()).toBeUndefined();
});

test('control characters do not reach the terminal', () => {
  const { shown } = converse({ style: STYLE.textInfo, text: '\x1b]0;x\x07ok\x9b' as Bytes });
  expect(shown).toEqual(['?]0;x?ok\\x9b']);
});
