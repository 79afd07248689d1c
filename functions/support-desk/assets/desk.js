// The support desk: its forms call the JSON routes, and the page is loaded again with what that has done.
//
// Each press of a button is one click with an idempotency key, which is stored until its answer is known. A double click, a lost answer or
// the same form after a reload repeats that click, so it is done once. A change in the form is another click.

import { call, filled, forget, inWords, plain, randomId, recall, remember, time, word } from './common.js';

for (const element of document.querySelectorAll('time[datetime]')) {
  element.title = element.textContent;
  element.textContent = inWords(element.dateTime);
}

const main = document.getElementById('main');
const said = document.getElementById('said');

showWhatWasDone();

for (const form of document.querySelectorAll('form[data-act]')) {
  for (const button of form.querySelectorAll('[data-submit]')) button.disabled = false;
  form.addEventListener('change', () => adapt(form));
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    // Enter in a field never decides: that takes one of the two buttons.
    if (form.dataset.act !== 'decide') send(form, form.querySelector('[data-submit]'));
  });
  for (const button of form.querySelectorAll('[type=button]')) button.addEventListener('click', () => send(form, button));
  adapt(form);
}

// --- The forms ---

/** Shows the fields that belong to what is chosen, and says on the button whether the act takes a second operator. */
function adapt(form) {
  const chosen = form.querySelector('[type=radio]:checked')?.value;
  for (const part of form.querySelectorAll('[data-for]')) {
    part.hidden = !part.dataset.for.split(' ').includes(chosen);
    for (const input of part.querySelectorAll('input:not([type=checkbox])')) input.required = !part.hidden;
  }
  if (form.dataset.act !== 'reissue') return;
  const asks = form.dataset.asks !== undefined || (chosen === 'another' && form.dataset.asksElsewhere !== undefined);
  form.querySelector('[data-submit]').textContent = word(asks ? 'desk_ask' : 'desk_reissue_submit');
}

/** The bodies of the calls. */
const bodies = {
  reissue: ({ reason, to, email, keep_old_address: keeps }, form) => {
    const body = { reason: reason.value.trim(), if_issue: Number(form.dataset.issue) };
    return to.value === 'another' ? { ...body, email: email.value.trim(), keep_old_address: keeps.checked } : body;
  },
  add: (fields) => {
    const names = { email: ['email'], subject: ['issuer', 'subject'], organization: ['issuer', 'organization'] }[fields.by.value];
    const given = names.map((name) => [name, fields[name].value.trim()]);
    return { ...Object.fromEntries(given), reason: fields.reason.value.trim() };
  },
  remove: ({ reason }) => ({ reason: reason.value.trim() }),
  unlock: ({ reason }) => ({ reason: reason.value.trim() }),
  decide: ({ reason }, form, button) => {
    const body = { decision: button.value };
    return reason.value.trim() ? { ...body, reason: reason.value.trim() } : body;
  },
};

/** Returns the text that says what an answer means. */
const outcomes = {
  reissue: ({ approval, expires_at: at, welcome_mail: mail }) => (approval
    ? ['desk_said_asked'] : ['desk_said_reissued', { to: mail?.to ?? '', at }]),
  add: ({ approval }) => [approval ? 'desk_said_asked' : 'desk_said_added'],
  remove: () => ['desk_said_removed'],
  unlock: () => ['desk_said_unlocked'],
  decide: ({ outcome }) => [outcome === 'approved' ? 'desk_said_approved' : 'desk_said_rejected'],
};

async function send(form, button) {
  const buttons = [...form.querySelectorAll('[data-submit]')];
  if (buttons.some((one) => one.disabled)) return;
  const { act, path } = form.dataset;
  const body = bodies[act](form.elements, form, button);
  for (const one of buttons) one.disabled = true;
  tell(form, '');
  const outcome = await call(path, { body, headers: { 'idempotency-key': click(path, body) } });
  if (outcome.status === 202) return done(path, ...outcomes[act](outcome.answer));
  if (outcome.code === 'conflict') return done(path, 'desk_said_conflict');
  for (const one of buttons) one.disabled = false;
  refused(form, outcome);
}

function refused(form, { status, code, retryAfter }) {
  const { act, path } = form.dataset;
  // Without our answer, or after one that asks to come back, the next attempt is the same click.
  if (status !== 0 && !['unavailable', 'internal', 'too-many-attempts'].includes(code)) forget(clickName(path));
  if (code === 'forbidden' && act === 'decide') return location.assign(freshSignIn());
  if (code === 'not-found') return tell(form, word('desk_left'), signInAgain());
  if (code === 'too-many-attempts' && retryAfter > 0) {
    const at = new Date(Date.now() + retryAfter * 1000).toISOString();
    return tell(form, plain(word('desk_too_many'), { at: inWords(at) }));
  }
  tell(form, word(PROBLEMS[code] ?? 'desk_failed'));
}

const PROBLEMS = {
  'invalid-request': 'form_wrong',
  'payload-too-large': 'form_wrong',
  forbidden: 'forbidden',
  unavailable: 'unavailable',
  'too-many-attempts': 'unavailable',
  'no-response': 'desk_offline',
};

function tell(form, text, link) {
  const place = form.querySelector('.said');
  place.replaceChildren(text);
  if (link) place.append(' ', link);
}

// --- The click ---

function clickName(path) {
  return `click ${main.dataset.person} ${path}`;
}

/** Returns the key of this click: that of an earlier attempt with the same body, or a new one. */
function click(path, body) {
  const text = JSON.stringify(body);
  const kept = recall(clickName(path));
  if (kept?.body === text) return kept.key;
  const key = randomId();
  remember(clickName(path), { key, body: text });
  return key;
}

// --- What was done ---

/** Loads the page again, which then says what was done. */
function done(path, key, places = {}) {
  forget(clickName(path));
  remember('said', { key, places });
  if (location.hash) history.replaceState(null, '', location.pathname + location.search);
  location.reload();
}

function showWhatWasDone() {
  const kept = recall('said');
  if (!said || !kept) return;
  forget('said');
  const places = { ...kept.places };
  if (places.at) places.at = time(places.at);
  said.replaceChildren(...filled(word(kept.key), places));
  said.focus();
}

// --- The sign-in ---

function here() {
  return encodeURIComponent(location.pathname + location.search);
}

/** Returns the address of a sign-in that lets the operator decide. */
function freshSignIn() {
  return `/desk/auth/sign-in?return=${here()}&decision=true`;
}

function signInAgain() {
  const link = document.createElement('a');
  link.href = `/desk/auth/sign-in?return=${here()}`;
  link.textContent = word('sign_in_again');
  return link;
}
