// Your subscriptions: the questions, the window with the credentials, the mail again, new credentials, and the support request.
//
// Opening the page uses up nothing. Go starts one click: an idempotency key that is stored for this person and subscription for ten
// minutes. A lost answer, a double click, a reload or "Show again" repeats the same click, and uses up nothing more.
//
// A message to support is stored for this person and subscription until it is sent or the person signs out, so that a session that has
// ended loses nothing.

import {
  call, copyOf, copyText, forget as forgetStored, forgetMessages, inWords, messageName, timeOfDay, plain, randomId, recall, remember, say,
  spell, time, word,
} from './common.js';

const HIDDEN_AFTER = 2 * 60 * 1000;
const CLICK_LASTS = 9.5 * 60 * 1000;

const main = document.getElementById('main');
const view = document.getElementById('window');
const title = document.getElementById('window-title');
const body = document.getElementById('window-body');
const said = view?.querySelector('.said');

/** The state of the open window: its row, the answer while it may be shown, and the timer that hides it. */
let shown = null;

forgetMessages(main.dataset.person);

for (const form of document.querySelectorAll('form.act')) {
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const row = form.closest('article');
    if (shown?.row === row && isOpen()) return;
    const action = form.dataset.act || form.querySelector('select').value;
    ({ 'contact-support': writeTo, 'resend-mail': resend, 'renew-credentials': renew }[action] ?? go)(row);
  });
}

view?.addEventListener('click', (event) => {
  const button = event.target.closest('[data-do]');
  if (button && button.tagName === 'BUTTON') actions[button.dataset.do]?.(button);
});
// The close event comes later: the window may be open again by then.
view?.addEventListener('close', () => {
  if (isOpen()) return;
  delete document.body.dataset.window;
  forget();
  showRenewed();
});
addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && document.body.dataset.window === 'instead') close();
});
addEventListener('pagehide', forget);
addEventListener('pageshow', (event) => {
  if (event.persisted && view && isOpen()) close();
});

const actions = {
  close,
  retrieve: () => retrieve(shown.row),
  again: () => repeat(shown.row),
  retry: () => shown.retry(),
  support: () => writeTo(shown.row),
  get: () => go(shown.row),
  renew: () => renew(shown.row),
  copy: (button) => copy(button.dataset.what),
  print: () => print(),
};

// --- The click ---

function storageName(row) {
  return `click ${main.dataset.person} ${row.dataset.subscription}`;
}

/** Returns the stored click if it may still be repeated. */
function begun(row) {
  const click = recall(storageName(row));
  return click && Date.now() - click.at < CLICK_LASTS ? click : null;
}

function click(row) {
  const kept = begun(row);
  if (kept) return kept.key;
  const key = randomId();
  remember(storageName(row), { key, at: Date.now() });
  return key;
}

function forgetClick(row) {
  forgetStored(storageName(row));
}

// --- The questions ---

async function go(row) {
  open(row, word('credentials_for'), { product: row.dataset.product });
  if (begun(row) || row.dataset.remaining === undefined) return retrieve(row);
  put(copyOf('waiting'));
  const visit = shown;
  await refresh(row);
  if (shown !== visit) return;
  const { remaining, otherAt, otherBy } = row.dataset;
  const last = remaining === '1';
  // When no retrieval is left, the answer says why.
  if (remaining === '0' || (!last && !otherAt)) return retrieve(row);
  const asking = copyOf('asking');
  keep(asking, { other: Boolean(otherAt), last });
  if (otherAt) say(part(asking, 'question_other'), word('question_other'), { by: otherBy, at: time(otherAt) });
  const button = otherAt ? plain(word('question_again'), { remaining }) : word('question_retrieve');
  part(asking, 'retrieve').textContent = button;
  put(asking);
}

/** Loads the retrievals that colleagues have made in the meantime. If that fails, the data of the page is used. */
async function refresh(row) {
  const cursor = main.dataset.cursor ? `?cursor=${encodeURIComponent(main.dataset.cursor)}` : '';
  const { status, answer } = await call(`/subscriptions${cursor}`, { method: 'GET', patience: 4000 });
  const found = status === 200 && answer.subscriptions?.find((one) => one.subscription_id === row.dataset.subscription);
  if (!found) return;
  const last = found.credentials.last_retrieved;
  count(row, found.credentials.state === 'issued' ? found.credentials.retrievals_remaining : 0);
  if (found.actions.includes('renew-credentials')) row.dataset.canRenew = '';
  if (last && !last.you) {
    row.dataset.otherAt = last.at;
    row.dataset.otherBy = nameOf(last, 'unconfirmed_account_first');
  }
}

// --- The retrieval ---

async function retrieve(row) {
  put(copyOf('waiting'));
  const visit = shown;
  const path = `/subscriptions/${encodeURIComponent(row.dataset.subscription)}/credentials`;
  const { status, code, answer } = await call(path, { headers: { 'idempotency-key': click(row) } });
  if (shown !== visit) return;
  if (status === 200 && answer.password) show(row, answer);
  else if (status === 200 && answer.password === null) blank(row, answer);
  else if (code === 'conflict') {
    forgetClick(row);
    trouble(word('too_old'), () => go(row));
  } else refused(code, () => repeat(row));
}

/** Repeats the same click. After it has expired, only Go starts another retrieval. */
function repeat(row) {
  if (begun(row)) return retrieve(row);
  if (shown.answer) shown.answer.password = '';
  trouble(word('too_old'), () => go(row));
}

function show(row, answer) {
  shown.answer = answer;
  count(row, answer.retrievals.remaining);
  render(true);
  shown.timer = setTimeout(hide, HIDDEN_AFTER);
}

function hide() {
  if (!shown?.answer) return;
  shown.answer.password = '';
  render(false);
}

function render(open) {
  const { row, answer } = shown;
  const page = copyOf('showing');
  keep(page, { password: open, hidden: !open });
  say(part(page, 'for_whom'), word('for_whom'), named(row));
  say(part(page, 'works_until_sentence'), word('works_until_sentence'), { at: time(answer.expires_at) });
  say(part(page, 'retrievals_left_sentence'), word('retrievals_left_sentence'), answer.retrievals);
  const [last] = answer.retrievals.history.slice(-1);
  if (last) say(part(page, 'retrieved_by'), word(last.you ? 'retrieved_by_you' : 'retrieved_by'), { by: nameOf(last, 'unconfirmed_account_first'), at: time(last.at) });
  slot(page, 'user_name').textContent = answer.user_name;
  if (open) spell(slot(page, 'password'), answer.password);
  slot(page, 'sign_in_url').textContent = answer.sign_in_url;
  slot(page, 'go').href = `${answer.sign_in_url}#user_name=${encodeURIComponent(answer.user_name)}`;
  put(page);
}

/** Returns who made a retrieval: the confirmed address, or the words for an account without one. */
function nameOf(retrieval, without) {
  const end = retrieval.subject_end;
  return end === undefined ? retrieval.by : plain(word(without), { end });
}

function blank(row, answer) {
  forgetClick(row);
  const page = copyOf('blank');
  const expired = answer.blank.reasons.some((reason) => reason.code === 'expired');
  keep(page, { renew: expired && row.dataset.canRenew !== undefined });
  slot(page, 'user_name').textContent = answer.user_name;
  slot(page, 'reasons').replaceChildren(...sentences(answer).map(([text, places]) => {
    const item = document.createElement('li');
    say(item, text, places);
    return item;
  }));
  put(page);
}

/** Returns one sentence for each reason that applies, without repetition. */
function sentences({ blank: { reasons }, retrievals, expires_at: expires }) {
  const by = Object.fromEntries(reasons.map((reason) => [reason.code, reason]));
  const over = by.expired || by['subscription-ended'] || by['administrator-changed-password'];
  const at = (code) => time(by[code].at);
  const found = [];
  if (by['administrator-signed-in'] && by['administrator-changed-password']) {
    found.push(['reason_signed_in_and_changed', { at: at('administrator-signed-in'), changed_at: at('administrator-changed-password') }]);
  } else if (by['administrator-signed-in']) {
    found.push([over ? 'reason_signed_in_only' : 'reason_signed_in', { at: at('administrator-signed-in'), expires_at: time(expires) }]);
  } else if (by['administrator-changed-password']) {
    found.push(['reason_changed', { at: at('administrator-changed-password') }]);
  }
  if (by['retrieved-three-times']) {
    const list = document.createElement('span');
    retrievals.history.forEach((entry, n) => {
      const one = document.createElement('span');
      say(one, word(entry.you ? 'list_you' : 'list_other'), { at: time(entry.at), by: nameOf(entry, 'unconfirmed_account') });
      list.append(n ? ', ' : '', one);
    });
    const key = by['retrieved-by-someone-else'] ? (over ? 'reason_retrieved_company_over' : 'reason_retrieved_company') : 'reason_retrieved_you';
    found.push([key, { list, expires_at: time(expires) }]);
  }
  if (by.expired) found.push(['reason_expired', { at: at('expired') }]);
  if (by['subscription-ended']) found.push(['reason_ended', { at: at('subscription-ended') }]);
  return found.map(([key, places]) => [word(key), places]);
}

// --- The mail again, and new credentials ---

/** The time in seconds after which the mail can be sent again. A longer wait means that it was sent three times. */
const RESEND_PAUSE = 10 * 60;

async function resend(row) {
  const visit = open(row, word('action_resend'), {});
  const { status, code, retryAfter, answer } = await order(row, 'mails');
  if (shown !== visit) return;
  if (status === 202) outcome('resent', { to: answer.to, at: timeOfDay(new Date(answer.at)) });
  else if (code === 'conflict') outcome('resend_impossible', {}, { get: true, support: true });
  else if (code !== 'too-many-attempts') refused(code, () => resend(row));
  else if (retryAfter > RESEND_PAUSE) outcome('resend_used_up', {}, { get: true, support: true });
  else outcome('resend_early', { at: timeOfDay(inAMinute(Date.now() + retryAfter * 1000)) });
}

/** Returns the minute that begins at a time or after it, so that the time that is shown is not too early. */
function inAMinute(milliseconds) {
  return new Date(Math.ceil(milliseconds / 60000) * 60000);
}

async function renew(row) {
  const visit = open(row, word('action_renew'), {});
  const { status, code, answer } = await order(row, 'renewals');
  if (status === 202) {
    hasRenewed = true;
    forgetClick(row);
    delete row.dataset.otherAt;
    row.dataset.remaining = '3';
  }
  if (status === 202 || code === 'conflict') delete row.dataset.canRenew;
  if (!shown) showRenewed();
  if (shown !== visit) return;
  const places = { to: row.dataset.mailTo, at: time(answer.expires_at ?? 0) };
  if (status === 202) outcome(row.dataset.ruledOut === undefined ? 'renewed' : 'renewed_unmailed', places, { get: true });
  else if (code === 'conflict') await hasCredentials(row) ? outcome('renewed_before', {}, { get: true }) : outcome('renew_refused', {}, { support: true });
  else refused(code, () => renew(row));
}

/** Loads the state again: a colleague, or a payment, may have started new credentials since the page was loaded. */
async function hasCredentials(row) {
  await refresh(row);
  return row.dataset.remaining !== '0';
}

/** Whether the page is older than credentials that were renewed on it. */
let hasRenewed = false;

/** Loads the page again after the window with the outcome of a renewal. */
function showRenewed() {
  if (hasRenewed) location.reload();
}

function order(row, what) {
  put(copyOf('waiting'));
  return call(`/subscriptions/${encodeURIComponent(row.dataset.subscription)}/${what}`);
}

/** Shows the outcome, with what can be done next, and lets a screen reader read it. */
function outcome(key, places, next = {}) {
  const page = copyOf('outcome');
  keep(page, next);
  const what = slot(page, 'what');
  say(what, word(key), places);
  put(page);
  what.focus();
}

function refused(code, retry) {
  if (code === 'not-signed-in') left({});
  else if (code === 'not-found') trouble(word('gone'), () => location.reload());
  else trouble(word(code === 'no-response' ? 'offline' : code === 'unavailable' ? 'unavailable' : 'failed'), retry);
}

// --- Copy ---

async function copy(what) {
  const { row, answer } = shown;
  const text = {
    user_name: () => answer.user_name,
    password: () => answer.password,
    both: () => plain(word('both'), answer),
    instructions: () => plain(word('instructions'), {
      product: row.dataset.product, url: answer.sign_in_url, user_name: answer.user_name, at: inWords(answer.expires_at),
    }),
  }[what]();
  announce(word(await copyText(text) ? 'copied' : 'copy_failed'));
}

// --- Support ---

/** Returns the name under which the message about a subscription is stored, with the idempotency key of its text. */
function draftName(row) {
  return messageName(main.dataset.person, row.dataset.subscription);
}

function writeTo(row) {
  open(row, word('support_title'), {});
  const page = copyOf('writing');
  say(part(page, 'support_about'), word('support_about'), named(row));
  const form = page.querySelector('form');
  form.message.value = recall(draftName(row))?.message ?? '';
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    send(row, form);
  });
  // The same text is the same request, even if it is sent repeatedly: a change discards the key.
  form.addEventListener('input', () => remember(draftName(row), { message: form.message.value }));
  put(page);
}

async function send(row, form) {
  const message = form.message.value.trim();
  if (!message) return announce(word('support_empty'));
  const button = form.querySelector('button');
  button.disabled = true;
  const path = `/subscriptions/${encodeURIComponent(row.dataset.subscription)}/support-requests`;
  const key = recall(draftName(row))?.key ?? randomId();
  remember(draftName(row), { message: form.message.value, key });
  const visit = shown;
  const { status, code, answer } = await call(path, { body: { message }, headers: { 'idempotency-key': key } });
  const sent = status === 202 && answer.reference;
  if (sent) forgetSent(row, key);
  if (shown !== visit) return;
  button.disabled = false;
  if (sent) {
    const done = document.createElement('p');
    done.className = 'lead';
    const address = main.dataset.replyTo;
    say(done, word(address ? 'support_sent' : 'support_sent_anonymous'), { ...answer, address });
    put(done);
    view.querySelector('[data-do=close]').focus();
  } else if (code === 'not-signed-in') left({ message: true });
  else announce(word(UNSENT[code] ?? 'failed'));
}

const UNSENT = {
  'too-many-attempts': 'support_too_many',
  'not-found': 'gone',
  unavailable: 'unavailable',
  'no-response': 'unavailable',
};

/** Forgets a message that was sent, unless another text was written meanwhile. */
function forgetSent(row, key) {
  if (recall(draftName(row))?.key === key) forgetStored(draftName(row));
}

// --- The window ---

/** Returns the names of a subscription for use in a sentence, which has its own full stop. */
function named(row) {
  const { product, company } = row.dataset;
  return { product, company: company.replace(/\.$/, '') };
}

function open(row, text, places) {
  forget();
  shown = { row, retry: () => {} };
  say(title, text, places);
  if (!isOpen()) openWindow();
  return shown;
}

function isOpen() {
  return view.hasAttribute('open');
}

/** Opens the window. In a browser without modal windows it takes the place of the page, which the style sheet hides. */
function openWindow() {
  if (view.showModal) {
    document.body.dataset.window = 'over';
    return view.showModal();
  }
  document.body.dataset.window = 'instead';
  opener = document.activeElement;
  view.setAttribute('role', 'dialog');
  view.setAttribute('open', '');
}

/** What had the focus before the window took the place of the page. */
let opener = null;

function close() {
  if (document.body.dataset.window === 'instead') {
    view.removeAttribute('open');
    delete document.body.dataset.window;
    opener?.focus();
    showRenewed();
  } else view.close();
  forget();
}

function put(content) {
  announce('');
  body.replaceChildren(content);
  title.focus();
}

function trouble(what, retry) {
  shown.retry = retry;
  const page = copyOf('trouble');
  slot(page, 'what').textContent = what;
  put(page);
}

/** Shows that the session has ended, with a sign-in that returns to this page, and whether a message is kept. */
function left(holds) {
  const page = copyOf('left');
  keep(page, holds);
  slot(page, 'back').href = `/auth/sign-in?return=${encodeURIComponent(location.pathname + location.search)}`;
  put(page);
}

function announce(text) {
  said.textContent = text;
}

function forget() {
  if (!shown) return;
  clearTimeout(shown.timer);
  if (shown.answer) shown.answer.password = '';
  shown = null;
  body.replaceChildren();
}

/** Removes the parts whose condition does not hold. */
function keep(page, holds) {
  for (const element of page.querySelectorAll('[data-if]')) {
    if (!holds[element.dataset.if]) element.remove();
  }
}

function part(page, name) {
  return page.querySelector(`[data-say="${name}"]`);
}

function slot(page, name) {
  return page.querySelector(`[data-slot="${name}"]`);
}

function count(row, remaining) {
  if (row.dataset.remaining === undefined) return;
  row.dataset.remaining = String(remaining);
  const element = row.querySelector('.left');
  if (element) say(element, word('retrievals_left'), { remaining: String(remaining), allowed: '3' });
}
