"use strict";
(() => {
  const opened = new Set();
  // Tells a clock of the server's choice: UTC only keeps it as it is.
  const months = new Intl.DateTimeFormat(undefined, {
    month: "short", year: "numeric", timeZone: "UTC",
  });

  // The words of hcl.words: moments.day_in_full.
  function named(at) {
    const noon = (moment) => new Date(moment).setHours(12, 0, 0, 0);
    const days = Math.round((noon(at) - noon(Date.now())) / 864e5);
    const near = { "-1": "Yesterday, ", 0: "Today, ", 1: "Tomorrow, " }[days] || "";
    const [weekday, month, day, year] = new Date(at).toDateString().split(" ");
    const own = new Date().getFullYear() === Number(year) ? "" : ` ${year}`;
    return `${near}${weekday} ${Number(day)} ${month}${own}`;
  }

  // Days begin where they do for the viewer; the order of the rows stays.
  function byDays(box) {
    const rows = [...box.querySelectorAll(".log > li")], parts = [];
    let day = null, list = null;
    for (const row of rows) {
      const its = named(Date.parse(row.querySelector("time").dateTime));
      if (its !== day) {
        const head = document.createElement("h3");
        head.className = "day";
        head.textContent = day = its;
        list = document.createElement("ol");
        list.className = "log";
        parts.push(head, list);
      }
      list.append(row);
    }
    box.replaceChildren(...parts);
  }

  function prepare() {
    for (const month of document.querySelectorAll("[data-month]")) {
      month.textContent = months.format(Date.parse(`${month.dataset.month}-01T00:00:00Z`));
    }
    for (const box of document.querySelectorAll(".by-days:not([data-local])")) {
      box.dataset.local = 1;
      byDays(box);
    }
    // Bodies that somebody reads stay open when the log is brought up to date.
    for (const body of document.querySelectorAll("details[data-n]")) {
      if (opened.has(body.dataset.n)) body.open = true;
    }
    advance();
  }

  function advance() {
    for (const bar of document.querySelectorAll("progress[data-since]")) {
      bar.value = (Date.now() - Date.parse(bar.dataset.since)) / 1000;
    }
  }

  document.addEventListener("toggle", (event) => {
    const { dataset, open } = event.target;
    if (!dataset.n) return;
    if (open) opened.add(dataset.n);
    else opened.delete(dataset.n);
  }, true);
  document.addEventListener("hcl:parts", prepare);
  prepare();
  setInterval(advance, 5000);
})();
