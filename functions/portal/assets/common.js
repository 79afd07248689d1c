// What every script needs: words, places in them, times, and calls.

const words = document.getElementById('words');

/** The text of that key, as the server rendered it in the page's language. */
export function word(key) {
  return words?.content.querySelector(`[data-key="${key}"]`)?.textContent ?? '';
}

/** The pieces of a text with nodes or strings in its places. */
export function filled(text, places = {}) {
  return text.split(/\{([a-z_]+)\}/).map((piece, n) => (n % 2 ? (places[piece] ?? '') : piece));
}

/** The same as plain text. */
export function plain(text, places = {}) {
  return filled(text, places).map((piece) => piece.textContent ?? piece).join('');
}

/** Puts a text with its places into an element. */
export function say(element, text, places) {
  element.replaceChildren(...filled(text, places));
}

// The page's language as the reader's country has it.
const page = document.documentElement.lang === 'qps' ? 'en' : document.documentElement.lang;
const language = navigator.languages.find((one) => one.split('-')[0] === page) ?? page;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';
const format = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' });

/** A time as the reader's clock has it, with the town that its zone is named after. */
export function inWords(iso) {
  const town = zone.split('/').pop().replaceAll('_', ' ');
  return `${format.format(new Date(iso))} (${town})`;
}

/** An element of it. */
export function time(iso) {
  const element = document.createElement('time');
  element.dateTime = iso;
  element.textContent = inWords(iso);
  return element;
}

/** A copy of a template, its parts by name. */
export function copyOf(id) {
  return document.getElementById(id).content.cloneNode(true);
}

/** Calls a JSON route. What cannot be reached has the status 0. */
export async function call(path, { method = 'POST', body, headers = {}, patience = 20000 } = {}) {
  try {
    const response = await fetch(path, {
      method,
      headers: body === undefined ? headers : { ...headers, 'content-type': 'application/json' },
      body: body === undefined ? undefined : JSON.stringify(body),
      signal: AbortSignal.timeout(patience),
      redirect: 'error',
    });
    const answer = response.status === 204 ? {} : await response.json();
    return { status: response.status, retryAfter: Number(response.headers.get('retry-after') ?? 0), answer };
  } catch {
    return { status: 0, retryAfter: 0, answer: {} };
  }
}
