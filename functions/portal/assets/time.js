// The server renders times in UTC; this script rewrites them in the reader's time zone.

import { inWords } from './common.js';

for (const element of document.querySelectorAll('time[datetime]')) {
  element.title = element.textContent;
  element.textContent = inWords(element.dateTime);
}
