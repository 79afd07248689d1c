// Shared by the scripts: texts, placeholders, times and calls.

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

// The page's language in the reader's regional variant.
const page = document.documentElement.lang === 'qps' ? 'en' : document.documentElement.lang;
const language = navigator.languages.find((one) => one.split('-')[0] === page) ?? page;
const zone = Intl.DateTimeFormat().resolvedOptions().timeZone ?? 'UTC';
const format = new Intl.DateTimeFormat(language, { dateStyle: 'long', timeStyle: 'short' });

/** Formats a time in the reader's time zone, followed by the city of the zone. */
export function inWords(iso) {
  const city = zone.split('/').pop().replaceAll('_', ' ');
  return `${format.format(new Date(iso))} (${city})`;
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

/** Calls a JSON route. The status is 0 if there was no response. */
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
