// Answers the tests' questions about a page. It finds, measures and reads; keys and clicks are real input events from outside.
(() => {
  const plain = (text) => text.replace(/\s+/g, ' ').trim();
  const read = (element) => plain(element.innerText ?? element.textContent);
  /** The topmost content: the open window, or the body. */
  const top = () => [...document.querySelectorAll('dialog[open]')].pop() ?? document.body;
  const visible = (element) => element.checkVisibility({ visibilityProperty: true });
  const label = (element) => {
    if (element.ariaLabel) return plain(element.ariaLabel);
    return element.labels?.length && element.tagName !== 'BUTTON' ? read(element.labels[0]) : read(element);
  };
  const named = (element, name) => [label(element), read(element)].some((one) => one === name || one.startsWith(`${name} (`));
  const pressable = () => [...top().querySelectorAll('a[href], button:enabled, summary')].filter(visible);
  const field = (name) => top().querySelector(`[name="${name}"]`) ?? document.querySelector(`[name="${name}"]`);
  /** Scrolls an element into view; returns its centre, or the element that covers it. */
  const middle = (element) => {
    if (!element) return null;
    element.scrollIntoView({ block: 'center', behavior: 'instant' });
    const [box] = element.getClientRects();
    const [x, y] = [box.x + box.width / 2, box.y + box.height / 2];
    const hit = document.elementFromPoint(x, y);
    return hit && (element.contains(hit) || hit.contains(element)) ? { x, y } : { covered: hit?.outerHTML.slice(0, 200) ?? 'nothing' };
  };
  return {
    text: () => read(top()),
    pressable: (name) => middle(pressable().find((element) => named(element, name))),
    names: () => pressable().map(label),
    field: (name) => middle(field(name)),
    value: (name) => field(name)?.value ?? null,
    /** The focused element, and whether its focus is visible. */
    focus: () => {
      const element = document.activeElement;
      const style = getComputedStyle(element);
      const seen = element.matches(':focus-visible') && (style.outlineStyle === 'auto' || (style.outlineStyle !== 'none' && parseFloat(style.outlineWidth) >= 2));
      return { name: label(element), field: element.name ?? '', tag: element.tagName, inside: top().contains(element), seen };
    },
    focused: (name) => named(document.activeElement, name) || document.activeElement.name === name,
    /** Everything that the document holds: text, attributes, templates, typed values and stored values. */
    everything: () => {
      const texts = [document.documentElement.outerHTML, document.documentElement.textContent, JSON.stringify(history.state)];
      for (const one of document.querySelectorAll('template')) texts.push(one.innerHTML, one.content.textContent);
      for (const one of document.querySelectorAll('input, textarea, select')) texts.push(one.value);
      for (const kept of [sessionStorage, localStorage]) texts.push(...Object.entries(kept).flat());
      return texts.join('\n');
    },
    /** The elements that scroll sideways. */
    wide: () => [document.scrollingElement, top()].filter((element) => element.scrollWidth > element.clientWidth)
      .map((element) => `${element.tagName}: ${element.scrollWidth} in ${element.clientWidth}`),
    height: () => document.scrollingElement.scrollHeight,
    /** The forms that need scripts and do not say so without them. */
    formsWithoutHint: (needs) => [...document.forms].filter((form) => !(read(form).includes(needs) && form.querySelector('noscript a[href="/support"]')))
      .map((form) => form.outerHTML.slice(0, 120)),
    /** The password fields, user name fields and shown credentials that the browser may translate or correct. */
    exposed: (credentials) => {
      const safe = '[translate="no"][spellcheck="false"][autocapitalize="none"][autocorrect="off"]';
      const fields = [...document.querySelectorAll('input')]
        .filter((input) => input.type === 'password' || /password|username/.test(input.autocomplete)).filter((input) => !input.matches(safe));
      const shows = (element) => credentials.some((credential) => element.textContent.includes(credential));
      const texts = [...document.body.querySelectorAll('*')].filter((element) => shows(element) && ![...element.children].some(shows))
        .filter((element) => !element.closest(safe));
      return [...fields, ...texts].map((element) => element.outerHTML.slice(0, 200));
    },
    /** The own text of each visible element. */
    texts: () => [...document.body.querySelectorAll('*')].filter((element) => visible(element) && !element.matches('time, script, style, code'))
      .map((element) => plain([...element.childNodes].filter((node) => node.nodeType === Node.TEXT_NODE).map((node) => node.data).join('')))
      .filter(Boolean),
  };
})()
