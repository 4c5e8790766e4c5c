"use strict";
(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone || "your time";
  const opened = new Set();

  function prepare() {
    // Names the viewer's own zone over the times that app.js writes in it.
    for (const table of document.querySelectorAll(".times")) {
      const [theirs, here] = table.querySelectorAll("th");
      here.textContent = zone;
      if (theirs.textContent === zone) {
        for (const cell of table.querySelectorAll(".here")) cell.hidden = true;
      }
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
