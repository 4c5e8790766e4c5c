"use strict";
// All of it only adds: without it each page does the same, but is not live.
(() => {
  const $$ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const $ = (selector, root = document) => root.querySelector(selector);
  // On a phone, where the head scrolls: the name of this page is in sight.
  for (const here of $$(".top nav [aria-current]")) {
    const { left, right } = here.parentElement.getBoundingClientRect();
    const own = here.getBoundingClientRect();
    if (own.right > right) here.parentElement.scrollLeft = (own.left + own.right - left - right) / 2;
  }
  const exact = new Intl.DateTimeFormat(undefined, {
    dateStyle: "medium", timeStyle: "long",
  });
  const units = [[86400, "d"], [3600, "h"], [60, "min"], [1, "s"]];

  // The words of hcl.words: lengths.brief and moments.relative.
  function brief(seconds) {
    const i = units.findIndex(([size]) => seconds >= size);
    if (i < 0) return "0 s";
    const [size, word] = units[i];
    const count = Math.floor(seconds / size);
    let text = `${count} ${word}`;
    if (i < units.length - 1 && count < 3) {
      const [smaller, itsWord] = units[i + 1];
      const rest = Math.floor((seconds - count * size) / smaller);
      if (rest) text += ` ${rest} ${itsWord}`;
    }
    return text;
  }

  function relative(seconds) {
    if (Math.abs(seconds) < 5) return "now";
    return seconds > 0 ? `${brief(seconds)} ago` : `in ${brief(-seconds)}`;
  }

  // The words of hcl.words: moments.said. What changes is the zone.
  const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });
  function said(at, now) {
    const noon = (moment) => new Date(moment).setHours(12, 0, 0, 0);
    const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[Math.round((noon(at) - noon(now)) / 864e5)];
    const [, month, day, year] = new Date(at).toDateString().split(" ");
    const own = new Date(now).getFullYear() === Number(year) ? "" : ` ${year}`;
    return `${near || `${Number(day)} ${month}${own}`} ${hours.format(at)}`;
  }

  // The server's clock counts, as far as the page tells it.
  let ahead = 0;
  function tick(root = document, all = true) {
    const now = Date.now() - ahead;
    for (const time of $$(all ? "time[datetime]" : "time[data-elapsed]", root)) {
      const at = Date.parse(time.dateTime);
      if (!time.dataset.local) {
        time.dataset.local = 1;
        if ("absolute" in time.dataset) {
          time.title = time.textContent;
          time.textContent = exact.format(at);
        } else {
          time.title = exact.format(at);
        }
      }
      const seconds = (now - at) / 1000;
      let text = null;
      if (!["absolute", "elapsed", "said", "hour"].some((kind) => kind in time.dataset)) text = relative(seconds);
      if ("said" in time.dataset) text = said(at, now);
      if ("hour" in time.dataset) text = hours.format(at);
      if ("elapsed" in time.dataset) text = brief(Math.max(seconds, 0));
      if (text !== null && text !== time.textContent) time.textContent = text;
    }
  }

  async function copy(button) {
    const text = button.dataset.copy;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // There is no clipboard for pages that did not come by https.
      const area = document.createElement("textarea");
      area.value = text;
      button.after(area);
      area.select();
      document.execCommand("copy");
      area.remove();
      button.focus();
    }
    const before = button.textContent;
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = before; }, 1500);
  }
  addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy]");
    if (button) copy(button);
    for (const menu of $$("details.menu[open]")) {
      if (!menu.contains(event.target)) menu.open = false;
    }
  });
  addEventListener("keydown", (event) => {
    if (event.key === "Escape") {
      for (const menu of $$("details.menu[open]")) {
        // Else who goes by keyboard begins again at the top of the page.
        if (menu.contains(document.activeElement)) $("summary", menu).focus();
        menu.open = false;
      }
    }
    const search = $("[data-filters] [name=q]");
    const typing = event.target.closest("input, textarea, select, [contenteditable]");
    if (event.key === "/" && search && !typing) {
      event.preventDefault();
      search.focus();
    }
  });

  // Who clicks twice means it once: two checks of one slug take no pings by it.
  let sent = [];
  addEventListener("submit", (event) => {
    const now = event.timeStamp;
    if (sent[0] === event.target && now - sent[1] < 4000) event.preventDefault();
    else sent = [event.target, now];
  });

  function prepare(root) {
    for (const button of $$("[data-copy]", root)) button.hidden = false;
    tick(root);
    document.dispatchEvent(new Event("hcl:parts"));
  }

  // What the server sent of each part, but for times, which go on by themselves.
  const served = new Map();
  function plain(part) {
    const copy = part.cloneNode(true);
    for (const time of $$("time", copy)) time.textContent = "";
    return copy.outerHTML;
  }

  // The head of the list; a screen reader says it when it changes.
  function say(answer) {
    const head = $("#answer");
    if (head && answer && head.textContent !== answer) head.textContent = answer;
  }

  // What an element is known by when its part comes anew; null: by nothing.
  function markOf(element) {
    const fold = element.closest("details[id]");
    const what = element.getAttribute("href") || element.value || fold?.id;
    return what ? `${element.tagName} ${what}` : null;
  }

  // Exchange each part of the page by that of another document, if it is another:
  // nobody's click shall meet what is just taken away.
  function exchange(other) {
    document.title = other.title;
    const icon = $("link[rel=icon]");
    const wanted = $("link[rel=icon]", other);
    if (wanted && icon.href !== wanted.href) icon.replaceWith(wanted);
    say($("#answer", other)?.textContent);
    for (const part of $$("[data-part]")) {
      const fresh = other.getElementById(part.id);
      const text = fresh && plain(fresh);
      if (!fresh || served.get(part.id) === text) continue;
      served.set(part.id, text);
      // What somebody has folded, opened or chosen stays so; trouble that is new opens.
      for (const old of $$("details[id]", part)) {
        const now = other.getElementById(old.id);
        if (now) now.open = old.open || (now.open && now.className !== old.className);
      }
      for (const { value } of $$(".pick :checked", part)) {
        const now = $(`.pick [value="${value}"]`, fresh);
        if (now) now.checked = true;
      }
      // Who goes through the page by keyboard stays where they were.
      const active = part.contains(document.activeElement) && document.activeElement;
      const mark = active && markOf(active);
      part.replaceWith(fresh);
      if (mark) {
        const again = $$("a, button, input, summary", fresh).find((one) => markOf(one) === mark);
        again?.focus({ preventScroll: true });
      }
      prepare(fresh);
    }
  }

  let asking = null;
  async function load(href) {
    asking?.abort();
    const mine = asking = new AbortController();
    try {
      const answer = await fetch(href, { signal: mine.signal });
      if (answer.redirected && new URL(answer.url).pathname.endsWith("/sign-in")) {
        location.reload();
        return false;
      }
      const text = await answer.text();
      // What is shown is gone, by hcl's own word: a proxy's may be for a moment.
      if (answer.status === 404 && text.includes('id="main"')) location.reload();
      if (!answer.ok) return false;
      exchange(new DOMParser().parseFromString(text, "text/html"));
      offline(false);
      return true;
    } catch (error) {
      if (error.name !== "AbortError") offline(true);
      return false;
    } finally {
      if (asking === mine) asking = null;
    }
  }

  // At most once in a second, and not while nobody looks.
  let loaded = 0, planned = null;
  function anew() {
    if (planned) return;
    const wait = Math.max(0, loaded + 1000 - Date.now());
    planned = setTimeout(() => {
      planned = null;
      loaded = Date.now();
      load(location.href);
    }, wait);
  }

  function offline(is) {
    let sign = $(".offline");
    if (is && !sign) {
      sign = document.createElement("p");
      sign.className = "offline";
      sign.setAttribute("role", "status");
      sign.textContent = "No connection: this page may be old";
      document.body.append(sign);
    } else if (!is) {
      sign?.remove();
    }
  }

  // Show what the list tells of all checks together.
  function summarize({ counts, answer, icon, title }) {
    document.title = title;
    say(answer);
    const link = $("link[rel=icon]");
    link.href = link.href.replace(/icon-\w+\.svg/, `icon-${icon}.svg`);
    for (const item of $$("[data-count]")) {
      const count = counts[item.dataset.count];
      item.hidden = !count;
      const text = $("a", item);
      text.textContent = text.textContent.replace(/\d+$/, count);
    }
  }

  // Tell whether rows may now stand elsewhere in the list that is asked for.
  function moves(words) {
    const { sort } = $("main").dataset;
    const status = new URLSearchParams(location.search).get("status");
    // What tags and groups tell of their checks hangs on every status.
    return words.includes("status")
      || (words.includes("started") && status === "started")
      || (words.includes("last") && sort === "last");
  }

  function follow(url) {
    let source = null, poll = null, heard = 0;
    const hear = () => { heard = Date.now(); };
    function open() {
      source = new EventSource(url);
      source.addEventListener("beat", hear);
      source.onopen = () => {
        hear();
        offline(false);
        clearInterval(poll);
        poll = null;
      };
      source.onmessage = (event) => {
        hear();
        const told = JSON.parse(event.data);
        if (told.rows) served.clear();
        for (const [id, html] of Object.entries(told.rows || {})) {
          const old = document.getElementById(id);
          if (!old) continue;
          const box = document.createElement("template");
          box.innerHTML = html;
          const row = box.content.firstElementChild;
          row.classList.add("changed");
          const link = old.contains(document.activeElement);
          const pick = $(".pick", old);
          if (pick) row.prepend(pick);
          old.replaceWith(row);
          tick(row);
          if (link) $("input, a", row).focus({ preventScroll: true });
        }
        if (told.counts) summarize(told);
        // A page that is under way may be older than these rows.
        if (told.anew || (told.rows && asking) || moves(told.moves || [])) anew();
      };
      source.addEventListener("end", () => location.reload());
      source.onerror = () => {
        if (source.readyState !== EventSource.CLOSED) {
          offline(true);
        } else if (!poll) {
          // Too many look, the session is over, or a proxy cannot reach the server.
          load(location.href);
          poll = setInterval(async () => {
            const follows = source;
            if (await load(location.href) && follows && follows === source) open();
          }, 30000);
        }
      };
    }
    // A server that lost its power, or a network that went while this machine slept,
    // ends no connection, and a browser finds out after minutes. The server has a word
    // each 15 s.
    setInterval(() => {
      const state = source?.readyState;
      if (Date.now() - heard < 45000) return;
      if (state === EventSource.CONNECTING) offline(true);
      if (state !== EventSource.OPEN) return;
      source.close();
      open();
      anew();
    }, 5000);
    // A browser has six connections for a server: pages that nobody sees take none.
    let idle = null;
    document.addEventListener("visibilitychange", () => {
      clearTimeout(idle);
      if (document.hidden) {
        idle = setTimeout(() => {
          source.close();
          source = null;
          clearInterval(poll);
          poll = setInterval(() => load(location.href), 60000);
        }, 10000);
      } else if (!source) {
        clearInterval(poll);
        poll = null;
        open();
        anew();
      }
    });
    addEventListener("pagehide", () => source?.close());
    addEventListener("pageshow", (event) => { if (event.persisted) { open(); anew(); } });
    open();
  }

  const filters = $("[data-filters]");
  if (filters) {
    let wait = null;
    const apply = () => {
      const pairs = [...new FormData(filters)].filter(([, value]) => value);
      const query = new URLSearchParams(pairs).toString();
      history.replaceState(null, "", query ? `?${query}` : location.pathname);
      load(location.href);
    };
    filters.addEventListener("input", () => { clearTimeout(wait); wait = setTimeout(apply, 150); });
    filters.addEventListener("submit", (event) => { event.preventDefault(); apply(); });
    $("button", filters).hidden = true;
  }

  const now = document.documentElement.dataset.now;
  // A clock that is off by less shows nothing wrong.
  if (now && Math.abs(Date.now() - Date.parse(now)) > 30000) ahead = Date.now() - Date.parse(now);
  for (const part of $$("[data-part]")) served.set(part.id, plain(part));
  prepare(document);
  setInterval(() => tick(), 10000);
  setInterval(() => tick(document, false), 1000);
  const clock = $("[data-clock]");
  if (clock) {
    const show = () => { clock.textContent = hours.format(Date.now() - ahead); };
    show();
    setInterval(show, 1000);
  }
  const live = $("[data-live]");
  if (live) follow(live.dataset.live);
})();
