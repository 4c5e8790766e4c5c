"use strict";
// Shows what the schedule means while it is typed.
(() => {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const box = form.querySelector(".preview");
  const names = ["csrf", "kind", "timeout", "timeout_unit", "grace", "grace_unit", "cron", "oncalendar", "tz"];
  // UTC only keeps the clock of the check's zone as the server tells it.
  const walls = new Intl.DateTimeFormat(undefined, {
    weekday: "short", year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
  });
  let timer, running, shown = "";
  form.querySelector("[name=preview]").hidden = true;

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  const show = (found, zone) => {
    const parts = [];
    if (found.problem) parts.push(element("p", found.problem, "problem"));
    if (found.words) parts.push(element("p", found.words[0].toUpperCase() + found.words.slice(1) + "."));
    if (found.times.length) {
      const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
      parts.push(element("p", `Next times in ${zone}:`, "label"));
      const list = document.createElement("ol");
      for (const time of found.times) {
        const item = element("li", `${walls.format(Date.parse(time.wall + "Z"))} ${time.zone} `);
        if (here !== zone) {
          const at = new Date(time.at).toLocaleString(undefined, { dateStyle: "medium", timeStyle: "short" });
          item.append(element("small", `${at} for you`, "muted"));
        }
        list.append(item);
      }
      parts.push(list);
    }
    box.replaceChildren(...parts);
  };

  const ask = async () => {
    const data = new FormData(form);
    const body = new URLSearchParams(names.map((name) => [name, data.get(name) ?? ""]));
    if (body.toString() === shown) return;
    shown = body.toString();
    running?.abort();
    running = new AbortController();
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body, signal: running.signal });
      if (answer.ok) show(await answer.json(), data.get("tz"));
    } catch {
      // The next key tries again.
    }
  };

  form.addEventListener("input", () => {
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  ask();
})();
