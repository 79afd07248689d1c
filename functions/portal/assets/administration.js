// The Administration Center: its forms call the JSON routes, and the answer decides what comes next.
//
// Add administrator starts one click: an idempotency key that the tab remembers for the same user name, name and address until the answer
// is known. A lost answer, a double click or a reload repeats the same click, so the account is created once.
//
// The temporary password of a colleague is shown for two minutes at a time, and for ten minutes in all. It is held by this page alone:
// after that, or on another page, nothing can show it again.

import {
  call, copyOf, copyText, filled, forget, literal, plain, randomId, recall, remember, say, spell, time, word,
} from './common.js';

const HIDDEN_AFTER = 2 * 60 * 1000;
const GONE_AFTER = 10 * 60 * 1000;

/** The longest wait for another attempt, in seconds. A longer one is for the next day. */
const LONG_WAIT = 10 * 60;

const HOME = '/administration';

const NEXT = {
  'reset-password': '/administration/password',
  'create-administrator': '/administration/create',
  home: HOME,
};

const PROBLEMS = {
  'invalid-credentials': 'wrong_credentials',
  'invalid-request': 'form_wrong',
  'user-name-taken': 'user_name_taken',
  'password-too-short': 'password_too_short',
  'password-too-long': 'password_too_long',
  'password-too-common': 'password_too_common',
  'password-reused': 'password_reused',
  'last-administrator': 'last_administrator',
  'not-signed-in': 'session_ended',
  forbidden: 'forbidden',
  unavailable: 'unavailable',
  'too-many-attempts': 'unavailable',
  'no-response': 'no_response',
};

/** The texts for problems that mean something else on one form. */
const PROBLEMS_OF = {
  add: { 'invalid-credentials': 'wrong_current', conflict: 'add_most', 'no-response': 'add_no_response' },
  reset: { 'invalid-credentials': 'wrong_current', conflict: 'add_most', 'not-found': 'member_gone' },
  remove: { 'invalid-credentials': 'wrong_current', 'not-found': 'member_gone' },
  change: { 'invalid-credentials': 'wrong_current', 'password-reused': 'password_same' },
};

/** The texts for a limit of the day. */
const TOO_MANY_TODAY = { create: 'create_too_many', add: 'create_too_many', reset: 'reset_too_many' };

// --- The forms ---

/** The idempotency key of Create account; a change in the form discards it. */
let key = null;

const forms = {
  'sign-in': (form) => call('/sign-in', { body: { user_name: form.user_name.value.trim(), password: form.password.value } }),
  password: (form) => call('/reset-password', { body: { new_password: form.new_password.value } }),
  change: (form) => call('/reset-password', { body: { ...confirmed(form), new_password: form.new_password.value } }),
  create: (form) => {
    key ??= randomId();
    return call('/administrators', { body: { ...named(form), password: form.password.value }, headers: { 'idempotency-key': key } });
  },
  add: (form) => call('/administrators', { body: { ...named(form), ...confirmed(form) }, headers: { 'idempotency-key': click(form) } }),
  reset: (form) => call(`${member(form)}/password-resets`, { body: confirmed(form) }),
  remove: (form) => call(`${member(form)}/removal`, { body: confirmed(form) }),
};

/** The steps after a success. */
const successes = {
  'sign-in': goOn,
  password: goOn,
  change: () => goHome('changed_said'),
  create: created,
  add: (form, answer) => {
    forget(clickName(form));
    handOut(form, answer, form.display_name.value.trim());
  },
  reset: (form, answer) => handOut(form, answer, form.dataset.name),
  remove: (form) => goHome('removed_said', { name: form.dataset.name }),
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
    if (outcome.code) refused(form, outcome);
    else successes[form.dataset.form](form, outcome.answer);
  });
}

function named(form) {
  const fields = { user_name: form.user_name.value.trim(), display_name: form.display_name.value.trim() };
  const email = form.email.value.trim();
  return email ? { ...fields, email } : fields;
}

/** Returns the password that confirms who is at the browser. */
function confirmed(form) {
  return { current_password: form.current_password.value };
}

function member(form) {
  return `/administrators/${encodeURIComponent(form.dataset.account)}`;
}

function clickName(form) {
  return `click ${form.own_name.value} add`;
}

/** Returns the key of this click: that of an earlier attempt with the same fields, or a new one. */
function click(form) {
  const fields = JSON.stringify(named(form));
  const kept = recall(clickName(form));
  if (kept?.fields === fields) return kept.key;
  const fresh = randomId();
  remember(clickName(form), { key: fresh, fields });
  return fresh;
}

function misnamed(form) {
  const suffix = form.dataset.suffix;
  const name = form.user_name.value.trim().toLowerCase();
  if (!name.includes('@')) form.user_name.value = name + suffix;
  const typed = form.user_name.value.trim().toLowerCase();
  if (/^admin[-@]/.test(typed)) return word('user_name_reserved');
  const good = typed.endsWith(suffix) && /^[a-z0-9._+-]+$/.test(typed.slice(0, -suffix.length));
  return good ? '' : plain(word('user_name_wrong'), { suffix });
}

function refused(form, { code, retryAfter }) {
  const name = form.dataset.form;
  if (name === 'add' && ['user-name-taken', 'conflict', 'forbidden'].includes(code)) forget(clickName(form));
  // Only our own answer says how long to wait.
  if (code === 'too-many-attempts' && retryAfter > 0) {
    const today = !form.current_password || retryAfter > LONG_WAIT ? TOO_MANY_TODAY[name] : undefined;
    if (today) return tell(form, word(today), form.email);
    return tell(form, plain(word('too_many_attempts'), { seconds: String(retryAfter) }));
  }
  tell(form, word(PROBLEMS_OF[name]?.[code] ?? PROBLEMS[code] ?? 'failed'), fieldOf(form, code));
  const link = {
    'not-signed-in': ['sign_in_again', HOME],
    'not-found': ['back_home', HOME],
    // The name of a colleague who was removed stays taken.
    'user-name-taken': name === 'add' && ['former_title', '/administration/removed'],
  }[code];
  if (link) form.querySelector('.said').append(' ', linkTo(...link));
}

/** Returns the field that a problem is about. */
function fieldOf(form, code) {
  if (code.startsWith('password-')) return form.new_password ?? form.password;
  return { 'user-name-taken': form.user_name, 'invalid-credentials': form.current_password }[code];
}

function linkTo(what, href) {
  const link = document.createElement('a');
  link.href = href;
  link.textContent = word(what);
  return link;
}

function tell(form, text, field) {
  form.querySelector('.said').textContent = text;
  for (const input of form.querySelectorAll('[aria-invalid]')) input.removeAttribute('aria-invalid');
  if (!field) return;
  field.setAttribute('aria-invalid', 'true');
  field.focus();
}

// --- What follows ---

/** Goes to the next step, and after the last one to the product's request that the form names, or else home. */
function goOn(form, answer) {
  const next = NEXT[answer.next] ?? HOME;
  location.assign(next === HOME ? form.dataset.continue ?? HOME : next);
}

/** Goes to the team, which says what was done. */
function goHome(what, places = {}) {
  remember('said', { what, places });
  location.assign(HOME);
}

const said = document.getElementById('said');
const done = said && recall('said');
if (done) {
  forget('said');
  const places = done.places.name === undefined ? {} : { name: literal(done.places.name) };
  said.replaceChildren(...filled(word(done.what), places));
  said.focus();
}

/** Puts a page in the place of a form, and lets a screen reader read its heading. */
function replace(form, page) {
  const heading = page.querySelector('h1');
  form.reset();
  form.parentElement.replaceChildren(page);
  heading.focus();
}

/** Shows that the account was created. The new administrator has to sign in, because that retires the service administrator. */
function created(form, { user_name: userName }) {
  const page = copyOf('created');
  say(part(page, 'created_title'), word('created_title'), { user_name: literal(userName) });
  const on = slot(page, 'on');
  on.href = `${HOME}#user_name=${encodeURIComponent(userName)}`;
  on.addEventListener('click', async (event) => {
    event.preventDefault();
    await call('/sign-out');
    location.assign(on.href);
  });
  replace(form, page);
}

// --- The temporary password of a colleague ---

/** The credentials on the page, while they may be shown, and the timers that hide them. */
let handed = null;

function handOut(form, answer, name) {
  if (!answer.temporary_password) return lose(form, answer);
  const page = copyOf('handout');
  say(part(page, 'handout_title'), word('handout_title'), { name });
  say(part(page, 'handout_until'), word('handout_until'), { at: time(answer.expires_at) });
  slot(page, 'user_name').textContent = answer.user_name;
  const section = form.parentElement;
  section.addEventListener('click', (event) => press(section, event.target.closest('button')));
  handed = { section, password: answer.temporary_password };
  handed.end = setTimeout(wipe, GONE_AFTER);
  replace(form, page);
  show();
}

/** Shows what to do about an answer that was lost: the same click never shows another password. */
function lose(form, answer) {
  const page = copyOf('lost');
  say(part(page, 'handout_lost'), word('handout_lost'), { user_name: literal(answer.user_name) });
  const id = answer.account_id ?? form.dataset.account;
  slot(page, 'reset').href = `/administration/reset/${encodeURIComponent(id)}`;
  replace(form, page);
}

function show() {
  spell(slot(handed.section, 'password'), handed.password);
  turn('shown');
  handed.timer = setTimeout(hide, HIDDEN_AFTER);
}

function hide() {
  slot(handed.section, 'password').replaceChildren();
  turn('hidden');
}

/** Forgets the password for good. */
function wipe() {
  if (!handed) return;
  clearTimeout(handed.timer);
  clearTimeout(handed.end);
  hide();
  turn('gone');
  handed = null;
}

/** Shows the parts of a state, and moves the focus if it was in another part. */
function turn(state) {
  const { section } = handed;
  const active = document.activeElement;
  section.dataset.handout = state;
  for (const element of section.querySelectorAll('[data-while]')) element.hidden = element.dataset.while !== state;
  if (section.contains(active) && active.closest('[data-while]')?.hidden) section.querySelector('h1').focus();
}

function press(section, button) {
  if (button?.dataset.copy) copy(section, button.dataset.copy);
  if (button?.dataset.do === 'print') print();
  if (button?.dataset.do === 'again' && handed) show();
}

async function copy(section, what) {
  const places = { user_name: slot(section, 'user_name').textContent, password: handed?.password ?? '' };
  const copied = await copyText(what === 'both' ? plain(word('both'), places) : places[what]);
  section.querySelector('.said').textContent = word(copied ? 'copied' : 'copy_failed');
}

addEventListener('pagehide', wipe);

// --- On every page ---

function part(page, name) {
  return page.querySelector(`[data-say="${name}"]`);
}

function slot(page, name) {
  return page.querySelector(`[data-slot="${name}"]`);
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
  const form = document.querySelector('form[data-form=add]');
  if (form) forget(clickName(form));
  await call('/sign-out');
  location.assign(HOME);
});

// The portal's link carries the user name in its fragment, which no server or log receives.
const given = new URLSearchParams(location.hash.slice(1)).get('user_name');
const field = document.querySelector('form[data-form=sign-in] [name=user_name]');
if (given && field) {
  field.value = given;
  history.replaceState(null, '', location.pathname);
  document.getElementById('password').focus();
}
