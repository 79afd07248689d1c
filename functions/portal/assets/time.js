// Times are rendered in UTC; whoever has scripts reads them by their own clock.

import { inWords } from './common.js';

for (const element of document.querySelectorAll('time[datetime]')) {
  element.title = element.textContent;
  element.textContent = inWords(element.dateTime);
}
