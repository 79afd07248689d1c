// The Administration Center: its forms call the JSON routes, and the answer decides which page comes next.

import { call, copyOf, literal, plain, randomId, say, word } from './common.js';

const NEXT = {
  'reset-password': '/administration/password',
  'create-administrator': '/administration/create',
  home: '/administration',
};

const PROBLEMS = {
  'invalid-credentials': 'wrong_credentials',
  'invalid-request': 'form_wrong',
  'user-name-taken': 'user_name_taken',
  'password-too-short': 'password_too_short',
  'password-too-long': 'password_too_long',
  'password-too-common': 'password_too_common',
  'password-reused': 'password_reused',
  'not-signed-in': 'session_ended',
  forbidden: 'forbidden',
  unavailable: 'unavailable',
  'too-many-attempts': 'unavailable',
  'no-response': 'unavailable',
};

/** The idempotency key of Create account; a change in the form discards it. */
let key = null;

const forms = {
  'sign-in': (form) => call('/sign-in', { body: { user_name: form.user_name.value.trim(), password: form.password.value } }),
  password: (form) => call('/reset-password', { body: { new_password: form.new_password.value } }),
  create: (form) => {
    const body = { user_name: form.user_name.value.trim(), display_name: form.display_name.value.trim(), password: form.password.value };
    if (form.email.value.trim()) body.email = form.email.value.trim();
    key ??= randomId();
    return call('/administrators', { body, headers: { 'idempotency-key': key } });
  },
};

for (const form of document.querySelectorAll('form[data-form]')) {
  const button = form.querySelector('[data-submit]');
  button.disabled = false;
  form.addEventListener('input', () => { key = null; });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    const wrong = form.dataset.suffix && misnamed(form);
    if (wrong) return tell(form, wrong, form.user_name);
    button.disabled = true;
    tell(form, '');
    const outcome = await forms[form.dataset.form](form);
    button.disabled = false;
    if (outcome.status === 200) location.assign(NEXT[outcome.answer.next] ?? '/administration');
    else if (outcome.status === 201 && outcome.answer.user_name) created(form, outcome.answer);
    else refused(form, outcome);
  });
}

function misnamed(form) {
  const suffix = form.dataset.suffix;
  const name = form.user_name.value.trim().toLowerCase();
  if (!name.includes('@')) form.user_name.value = name + suffix;
  const typed = form.user_name.value.trim().toLowerCase();
  const good = typed.endsWith(suffix) && /^[a-z0-9._+-]+$/.test(typed.slice(0, -suffix.length));
  return good ? '' : plain(word('user_name_wrong'), { suffix });
}

function refused(form, { code, retryAfter }) {
  // Only our own answer says how long to wait. On this form the day has no room for another address.
  if (code === 'too-many-attempts' && retryAfter > 0 && form.email) return tell(form, word('create_too_many'), form.email);
  if (code === 'too-many-attempts' && retryAfter > 0) return tell(form, plain(word('too_many_attempts'), { seconds: String(retryAfter) }));
  const field = code.startsWith('password-') ? (form.new_password ?? form.password) : code === 'user-name-taken' ? form.user_name : null;
  tell(form, word(PROBLEMS[code] ?? 'failed'), field);
  if (code === 'not-signed-in') {
    const again = document.createElement('a');
    again.href = '/administration';
    again.textContent = word('sign_in_again');
    form.querySelector('.said').append(' ', again);
  }
}

function tell(form, text, field) {
  form.querySelector('.said').textContent = text;
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  if (!field) return;
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

/** Shows that the account was created. The new administrator has to sign in, because that retires the service administrator. */
function created(form, { user_name }) {
  form.reset();
  const page = copyOf('created');
  for (const element of page.querySelectorAll('[data-say]')) say(element, word(element.dataset.say), { user_name: literal(user_name) });
  const on = page.querySelector('[data-slot=on]');
  const own = form.user_name.autocomplete === 'username';
  on.href = own ? `/administration#user_name=${encodeURIComponent(user_name)}` : '/administration';
  if (own) on.addEventListener('click', async (event) => {
    event.preventDefault();
    await call('/sign-out');
    location.assign(on.href);
  });
  const heading = page.querySelector('h1');
  form.parentElement.replaceChildren(page);
  heading.focus();
}

for (const button of document.querySelectorAll('[data-show]')) {
  button.hidden = false;
  button.addEventListener('click', () => {
    const field = document.getElementById(button.dataset.show);
    const shown = field.type === 'text';
    field.type = shown ? 'password' : 'text';
    button.setAttribute('aria-pressed', String(!shown));
    button.textContent = word(shown ? 'show_password' : 'hide_password');
  });
}

for (const element of document.querySelectorAll('[data-count]')) {
  const field = document.getElementById(element.dataset.count);
  const count = () => say(element, word('password_count'), { count: String([...field.value.normalize('NFC')].length) });
  field.addEventListener('input', count);
  count();
}

document.getElementById('sign-out')?.addEventListener('submit', async (event) => {
  event.preventDefault();
  await call('/sign-out');
  location.assign('/administration');
});

// The portal's link carries the user name in its fragment, which no server or log receives.
const named = new URLSearchParams(location.hash.slice(1)).get('user_name');
const field = document.querySelector('form[data-form=sign-in] [name=user_name]');
if (named && field) {
  field.value = named;
  history.replaceState(null, '', location.pathname);
  document.getElementById('password').focus();
}
