// Keeps the page as it would be if it were loaded now: fetches it again and swaps the parts that have changed.
"use strict";

(() => {
  const EVERY = 5000;
  const SLOWEST = 60000;
  const PATIENCE = 20000;
  const pulse = document.getElementById("pulse");
  let wait = EVERY;
  let timer = 0;

  const show = (state, text) => {
    pulse.hidden = false;
    pulse.dataset.state = state;
    pulse.title = text;
    pulse.textContent = state === "lost" ? "connection lost, trying again; " : "";
  };

  const focusKey = (element) => element.id ? `#${CSS.escape(element.id)}` : element.getAttribute("href") &&
    `[href="${CSS.escape(element.getAttribute("href"))}"]`;

  const swap = (part, fresh) => {
    if (part.innerHTML === fresh.innerHTML) return;
    const key = part.contains(document.activeElement) && focusKey(document.activeElement);
    part.replaceChildren(...fresh.childNodes);
    if (key) part.querySelector(key)?.focus({ preventScroll: true });
  };

  const look = async () => {
    const answer = await fetch(location.href, { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`answered ${answer.status}`);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    document.title = fresh.title;
    for (const part of document.querySelectorAll("[data-live]")) {
      const other = fresh.getElementById(part.id);
      if (other) swap(part, other);
    }
  };

  const again = async () => {
    clearTimeout(timer);
    if (document.hidden) return;
    const busy = !document.getSelection()?.isCollapsed; // somebody is copying a command
    try {
      if (!busy) await look();
      wait = EVERY;
      show("live", "refreshes by itself");
    } catch (trouble) {
      wait = Math.min(wait * 2, SLOWEST);
      show("lost", String(trouble));
    }
    timer = setTimeout(again, wait);
  };

  document.addEventListener("visibilitychange", again);
  show("live", "refreshes by itself");
  timer = setTimeout(again, EVERY);
})();
