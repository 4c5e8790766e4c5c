"use strict";
// How many checks are selected, and a box for all of them.
(() => {
  const bulk = document.querySelector(".bulk");
  if (!bulk) return;
  const all = bulk.querySelector("[data-all]");
  const boxes = () => [...document.querySelectorAll(".pick input")];
  const count = () => {
    const chosen = boxes().filter((box) => box.checked).length;
    bulk.querySelector("[data-chosen]").textContent = `${chosen} selected`;
    all.checked = chosen > 0 && chosen === boxes().length;
    all.indeterminate = chosen > 0 && !all.checked;
    for (const button of bulk.querySelectorAll("button")) button.disabled = !chosen;
  };
  all.parentElement.hidden = false;
  all.addEventListener("change", () => {
    for (const box of boxes()) box.checked = all.checked;
    count();
  });
  document.addEventListener("change", (event) => event.target.closest(".pick") && count());
  document.addEventListener("hcl:parts", count);
  addEventListener("pageshow", count);
  count();
})();
