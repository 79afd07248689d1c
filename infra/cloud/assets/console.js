// Shows new mails, events and calls as they arrive, and the time when the clock is moved. The rest of the page, such as a half-filled form, is left alone.

const PAUSE = 1000;

const live = (root, name) => root.querySelector(`[data-live="${name}"]`);

/** Rewrites times, which the server renders in UTC, in the reader's time zone. */
function byThisClock(root) {
  for (const time of root.querySelectorAll('time[datetime]')) {
    const at = new Date(time.dateTime);
    const options = 'exact' in time.dataset ? { timeStyle: 'medium' } : { dateStyle: 'medium', timeStyle: 'short' };
    time.title = time.dateTime;
    time.textContent = new Intl.DateTimeFormat('en-GB', options).format(at);
  }
}

/** Adds new mails above the others, which stay open or closed. */
function receive(mails) {
  const here = live(document, 'mails');
  const known = new Set([...here.querySelectorAll('[data-mail]')].map((mail) => mail.dataset.mail));
  const all = [...mails.querySelectorAll('[data-mail]')];
  const fresh = all.filter((mail) => !known.has(mail.dataset.mail));
  here.dataset.seen = mails.dataset.seen;
  if (fresh.length === 0) return;
  here.querySelector('[data-empty]')?.remove();
  const reading = here.querySelector('[data-mail][open]');
  for (const mail of fresh) {
    mail.open = false;
    mail.classList.add('new');
    mail.addEventListener('toggle', () => mail.classList.remove('new'), { once: true });
  }
  here.prepend(...fresh);
  if (!reading) fresh[0].open = true;
  const subject = fresh[0].querySelector('.subject').textContent;
  document.getElementById('news').textContent = `New mail: ${subject}`;
}

async function look() {
  const seen = live(document, 'mails').dataset.seen;
  const answer = await fetch(`/live?seen=${encodeURIComponent(seen)}`);
  if (answer.status !== 200) return;
  const parts = new DOMParser().parseFromString(await answer.text(), 'text/html');
  byThisClock(parts);
  for (const name of ['events', 'calls', 'clock']) live(document, name).replaceChildren(...live(parts, name).childNodes);
  receive(live(parts, 'mails'));
}

async function watch() {
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, PAUSE));
    // The cloud may be ending, or starting again: the next look finds out.
    if (!document.hidden) await look().catch(() => {});
  }
}

byThisClock(document);
watch();
