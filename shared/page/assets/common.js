// Shared by the scripts: texts, placeholders, times, calls, and what the tab remembers.
//
// README.md names the oldest browsers. A test in `asset.rs` finds the names of newer features, which must not be used without a guard.

const words = document.getElementById('words');

/** Returns the text of a key, which the server rendered in the page's language. */
export function word(key) {
  return words?.content.querySelector(`[data-key="${key}"]`)?.textContent ?? '';
}

/** Splits a text into pieces, with nodes or strings for its placeholders. */
export function filled(text, places = {}) {
  return text.split(/\{([a-z_]+)\}/).map((piece, n) => (n % 2 ? (places[piece] ?? '') : piece));
}

/** Fills a text as plain text. */
export function plain(text, places = {}) {
  return filled(text, places).map((piece) => piece.textContent ?? piece).join('');
}

/** Fills a text and puts it into an element. */
export function say(element, text, places) {
  element.replaceChildren(...filled(text, places));
}

/** Returns an element with a value that the browser must neither translate nor correct, such as a user name. */
export function literal(value) {
  const element = document.createElement('span');
  for (const [name, setting] of LITERAL) element.setAttribute(name, setting);
  element.textContent = value;
  return element;
}

const LITERAL = [['translate', 'no'], ['spellcheck', 'false'], ['autocapitalize', 'none'], ['autocorrect', 'off']];

/** Writes a password into an element, with its digits set apart from its letters. */
export function spell(element, password) {
  element.replaceChildren(...password.split(/(\d+)/).map((piece, n) => {
    if (n % 2 === 0) return piece;
    const digits = document.createElement('b');
    digits.textContent = piece;
    return digits;
  }));
}

/** Copies a text. Returns whether the browser has allowed it. */
export async function copyText(text) {
  try {
    await navigator.clipboard.writeText(text);
    return true;
  } catch {
    return false;
  }
}

/** Returns the format of times in the reader's regional variant of the page's language. Browsers also report tags that are malformed. */
function timeFormat() {
  const page = document.documentElement.lang === 'qps' ? 'en' : document.documentElement.lang;
  const variants = [].concat(navigator.languages || []).map(String).filter((tag) => tag.toLowerCase().split('-')[0] === page);
  for (const tag of [...variants, page]) {
    try {
      return new Intl.DateTimeFormat(tag, { dateStyle: 'long', timeStyle: 'short' });
    } catch {
      // The next tag may be well-formed.
    }
  }
  return new Intl.DateTimeFormat();
}

const format = timeFormat();
const zone = format.resolvedOptions().timeZone || 'UTC';

/** Formats a time in the reader's time zone, followed by the city of the zone. */
export function inWords(iso) {
  const city = zone.split('/').pop().replace(/_/g, ' ');
  return `${format.format(new Date(iso))} (${city})`;
}

/** Formats the time of day in the reader's time zone. */
export function timeOfDay(at) {
  return at.toLocaleTimeString(format.resolvedOptions().locale, { timeStyle: 'short' });
}

/** Returns an element with a time. */
export function time(iso) {
  const element = document.createElement('time');
  element.dateTime = iso;
  element.textContent = inWords(iso);
  return element;
}

/** Returns a copy of the content of a template. */
export function copyOf(id) {
  return document.getElementById(id).content.cloneNode(true);
}

/** Returns a random identifier (UUID, version 4). `crypto.randomUUID` is newer than the oldest browsers. */
export function randomId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const digits = Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
}

/**
 * Calls a JSON route. `code` is empty after success, and otherwise the code of our problem document, or what the answer of something in
 * front of the functions means: see `codeOf`. The status is 0 if there was no response.
 */
export async function call(path, { method = 'POST', body, headers = {}, patience = 20000 } = {}) {
  // `AbortSignal.timeout` is newer than the oldest browsers.
  const deadline = new AbortController();
  const timer = setTimeout(() => deadline.abort(), patience);
  try {
    const response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: deadline.signal,
      redirect: 'error',
    });
    const answer = await read(response);
    return { status: response.status, code: codeOf(response, answer), retryAfter: Number(response.headers.get('retry-after')) || 0, answer };
  } catch {
    return { status: 0, code: 'no-response', retryAfter: 0, answer: {} };
  } finally {
    clearTimeout(timer);
  }
}

/** Reads the JSON of an answer. A failure may have none: the gateway in front of the functions also answers with HTML or with nothing. */
async function read(response) {
  if (response.status === 204) return {};
  const text = await response.text();
  try {
    const answer = JSON.parse(text);
    if (answer && typeof answer === 'object') return answer;
  } catch (error) {
    // A success without our answer, such as the page of a hotel's network, is no response.
    if (response.ok) throw error;
  }
  return {};
}

function codeOf({ ok, status }, answer) {
  if (ok) return '';
  if (typeof answer.code === 'string') return answer.code;
  return [429, 502, 503, 504].includes(status) ? 'unavailable' : 'internal';
}

// What this tab remembers until it is closed. A browser that refuses to store it remembers it until the page is left.

const store = tabStore();

function tabStore() {
  try {
    sessionStorage.setItem('try', '');
    sessionStorage.removeItem('try');
    return sessionStorage;
  } catch {
    const items = new Map();
    return {
      getItem: (name) => items.get(name) ?? null,
      setItem: (name, text) => { items.set(name, text); },
      removeItem: (name) => { items.delete(name); },
    };
  }
}

/** Returns what is remembered under a name, or null. */
export function recall(name) {
  try {
    return JSON.parse(store.getItem(name) ?? 'null');
  } catch {
    return null;
  }
}

/** Remembers a value under a name. */
export function remember(name, value) {
  try {
    store.setItem(name, JSON.stringify(value));
  } catch {
    // The storage is full.
  }
}

/** Forgets what is remembered under a name. */
export function forget(name) {
  store.removeItem(name);
}

/** Returns the name of a person's unsent message to support about a subscription. */
export function messageName(person, subscription) {
  return `message ${person} ${subscription}`;
}

/** Forgets all unsent messages but those of a person: others may use the same tab later. */
export function forgetMessages(person) {
  for (const name of Object.keys(store)) {
    if (name.startsWith('message ') && !(person && name.startsWith(messageName(person, '')))) forget(name);
  }
}
