// On every page: rewrites the times, which the server renders in UTC, in the reader's time zone, and forgets unsent messages at a sign-out.

import { forgetMessages, inWords } from './common.js';

for (const element of document.querySelectorAll('time[datetime]')) {
  element.title = element.textContent;
  element.textContent = inWords(element.dateTime);
}

document.querySelector('form[action="/auth/sign-out"]')?.addEventListener('submit', () => forgetMessages());
if (location.pathname === '/auth/signed-out') forgetMessages();
