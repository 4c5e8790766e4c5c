"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "your time";
  const opened = new Set();
  // Both tell a clock of the server's choice: UTC only keeps it as it is.
  const months = new Intl.DateTimeFormat(undefined, {
    month: "short", year: "numeric", timeZone: "UTC",
  });
  const walls = new Intl.DateTimeFormat(undefined, {
    weekday: "short", year: "numeric", month: "short", day: "numeric",
    hour: "2-digit", minute: "2-digit", second: "2-digit", timeZone: "UTC",
  });

  function prepare() {
    // Names the viewer's own zone over the times that app.js writes in it.
    for (const table of document.querySelectorAll(".times")) {
      const [theirs, here] = table.querySelectorAll("th");
      here.textContent = zone;
      if (theirs.textContent === zone) {
        for (const cell of table.querySelectorAll(".here")) cell.hidden = true;
      }
    }
    for (const month of document.querySelectorAll("[data-month]")) {
      month.textContent = months.format(Date.parse(`${month.dataset.month}-01T00:00:00Z`));
    }
    for (const time of document.querySelectorAll("[data-wall]")) {
      time.textContent = walls.format(Date.parse(`${time.dataset.wall}Z`));
    }
    // Bodies that somebody reads stay open when the log is brought up to date.
    for (const body of document.querySelectorAll("details[data-n]")) {
      if (opened.has(body.dataset.n)) body.open = true;
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
})();
