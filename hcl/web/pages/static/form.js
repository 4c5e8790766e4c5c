"use strict";
// A group is told, or its members: who ticks one unticks the others.
(() => {
  for (const list of document.querySelectorAll("fieldset:has([data-members])")) {
    const boxes = [...list.querySelectorAll("[name=channel]")];
    const groups = boxes.filter((box) => box.dataset.members);
    const membersOf = (group) => boxes.filter((box) => group.dataset.members.split(" ").includes(box.value));
    const mark = () => {
      const told = new Set(groups.filter((group) => group.checked).flatMap(membersOf));
      for (const box of boxes) box.closest(".choice").classList.toggle("is-stood-for", told.has(box));
    };
    list.addEventListener("change", ({ target }) => {
      if (!target.checked) return mark();
      if (target.dataset.members) {
        for (const box of membersOf(target)) box.checked = false;
      } else {
        for (const group of groups) if (membersOf(group).includes(target)) group.checked = false;
      }
      mark();
    });
    mark();
  }
})();
// Shows what the schedule means while it is typed, and proposes a slug.
(() => {
  const form = document.querySelector("form[data-preview]");
  if (!form) return;
  const box = form.querySelector(".preview"), slug = form.querySelector("[name=slug]");
  const names = ["csrf", "kind", "timeout", "timeout_unit", "grace", "grace_unit", "cron", "oncalendar", "tz"];
  const here = Intl.DateTimeFormat().resolvedOptions().timeZone;
  // UTC only keeps the clock of the check's zone as the server tells it.
  const moment = (timeZone) => new Intl.DateTimeFormat("en-GB", {
    weekday: "short", year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", timeZone,
  });
  const walls = moment("UTC"), mine = moment();
  let timer, running, shown = "", proposes = "proposes" in form.dataset && !slug.value;
  form.querySelector("[name=preview]").hidden = true;

  const element = (tag, text, name) => {
    const made = document.createElement(tag);
    made.textContent = text;
    if (name) made.className = name;
    return made;
  };

  // As hcl.checks.spec.slugify; at once, for who types a name and presses Enter.
  const propose = () => {
    if (!proposes) return;
    const ascii = form.querySelector("[name=name]").value.normalize("NFKD").replace(/[^\x00-\x7f]/g, "");
    const words = ascii.toLowerCase().replace(/[^\w\s-]/g, "").replace(/[-\s]+/g, "-");
    slug.value = words.replace(/^[-_]+|[-_]+$/g, "").slice(0, 100);
  };

  const show = (found, zone) => {
    const parts = [];
    if (found.problem) parts.push(element("p", found.problem, "problem"));
    if (found.words) parts.push(element("p", found.words[0].toUpperCase() + found.words.slice(1) + "."));
    if (found.times.length) {
      parts.push(element("p", `Next times in ${zone}:`, "label"));
      const list = document.createElement("ol");
      for (const time of found.times) {
        const item = element("li", `${walls.format(Date.parse(time.wall + "Z"))} ${time.zone} `);
        if (here !== zone) {
          item.append(element("small", `${mine.format(new Date(time.at))} for you`, "muted"));
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

  form.addEventListener("click", (event) => {
    const preset = event.target.closest("[data-preset]");
    if (!preset) return;
    event.preventDefault();
    for (const [name, value] of Object.entries(JSON.parse(preset.dataset.preset))) {
      if (name === "kind") form.querySelector(`[name=kind][value=${value}]`).checked = true;
      else form.querySelector(`[name=${name}]`).value = value;
    }
    // Who says nightly means their own night.
    const tz = form.querySelector("[name=tz]");
    if ("proposes" in form.dataset && tz.value === "UTC" && here) tz.value = here;
    ask();
  });
  form.addEventListener("input", (event) => {
    if (event.target === slug) proposes = false;
    propose();
    clearTimeout(timer);
    timer = setTimeout(ask, 250);
  });
  propose();
  ask();
})();
