// Renews what the page shows, in place: the reader's position and the focus stay.
"use strict";

async function renew() {
  try {
    const response = await fetch(location.pathname, { cache: "no-store" });
    if (!response.ok) throw new Error(response.statusText);
    const page = new DOMParser().parseFromString(await response.text(), "text/html");
    document.title = page.title;
    const fresh = page.querySelectorAll("main > *"); // as many as there are: only lists in them grow
    document.querySelectorAll("main > *").forEach((part, i) => {
      if (!part.isEqualNode(fresh[i])) part.innerHTML = fresh[i].innerHTML;
    });
  } catch {
    document.getElementById("stale").hidden = false;
  }
}

setInterval(() => { if (!document.hidden) renew(); }, 5000);
