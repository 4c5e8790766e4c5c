"use strict";
// A page for others, by the reader's clock, and anew each minute. Without it the page
// says the same in UTC, as of when it was asked for.
(() => {
  const hours = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", hourCycle: "h23" });

  // The words of hcl.words: moments.said.
  function said(at, now) {
    const noon = (moment) => new Date(moment).setHours(12, 0, 0, 0);
    const near = { "-1": "yesterday", 0: "today", 1: "tomorrow" }[Math.round((noon(at) - noon(now)) / 864e5)];
    const [, month, day, year] = new Date(at).toDateString().split(" ");
    const own = new Date(now).getFullYear() === Number(year) ? "" : ` ${year}`;
    return `${near || `${Number(day)} ${month}${own}`} ${hours.format(at)}`;
  }
  function tell() {
    for (const time of document.querySelectorAll("time:not([data-length])")) {
      time.title = time.textContent;
      const words = said(Date.parse(time.dateTime), Date.now());
      time.textContent = "day" in time.dataset ? words.replace(/ [^ ]+$/, "") : words;
    }
  }
  async function renew() {
    if (document.hidden) return;
    try {
      const answer = await fetch(location.href);
      if (!answer.ok) return;
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      document.title = fresh.title;
      const icon = document.querySelector("link[rel=icon]");
      const wanted = fresh.querySelector("link[rel=icon]");
      if (icon.href !== wanted.href) icon.replaceWith(wanted);
      document.getElementById("main").replaceWith(fresh.getElementById("main"));
      tell();
    } catch {
      // It is tried again; the page tells of when it is.
    }
  }
  tell();
  setInterval(renew, 60000);
  document.addEventListener("visibilitychange", renew);
})();
