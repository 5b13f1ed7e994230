// Shared by pages with scripts: skip links, and a loading message until the content of the page is there.
"use strict";

// Focuses the target without changing the address: viewers of documents use its hash for operations.
document.querySelector(".skip")?.addEventListener("click", (event) => {
  const target = document.querySelector(event.target.hash);
  event.preventDefault();
  event.stopPropagation();
  target.focus({ preventScroll: true });
  target.scrollIntoView();
});

window.BucketListPage = (() => {
  const base = document.documentElement.dataset.basePath ?? "";

  /** Returns a path of this server as the browser must request it. The links in responses already have the base path. */
  const url = (path) => (path.startsWith("/") && !path.startsWith(`${base}/`) ? base + path : path);

  const SLOW_MS = 8_000;
  const loading = document.getElementById("loading");
  const text = loading?.querySelector("p");
  const slow = loading && setTimeout(() => { text.textContent += " The connection is slow; this can take a minute."; }, SLOW_MS);

  const script = (source) => new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = source;
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(`${source} did not load`)));
    document.head.append(element);
  });

  /** Loads a style sheet that those of the page override. */
  const style = (source) => new Promise((resolve, reject) => {
    const element = document.createElement("link");
    element.rel = "stylesheet";
    element.href = source;
    element.addEventListener("load", resolve);
    element.addEventListener("error", () => reject(new Error(`${source} did not load`)));
    document.head.prepend(element);
  });

  async function json(source) {
    const response = await fetch(url(source), { headers: { Accept: "application/json" } });
    if (!response.ok) throw new Error(`${source} returned ${response.status}`);
    return response.json();
  }

  function loaded() {
    clearTimeout(slow);
    loading.hidden = true;
  }

  /** Replaces the loading message by an error and a button to try again. */
  function failed(message) {
    clearTimeout(slow);
    loading.hidden = false;
    loading.querySelector("progress")?.remove();
    text.textContent = message;
    text.setAttribute("role", "alert");
    const again = document.createElement("button");
    again.type = "button";
    again.className = "button";
    again.textContent = "Try again";
    again.addEventListener("click", () => location.reload());
    loading.append(again);
  }

  /** Returns the API version of the address, otherwise the newest one, and marks it in the page. */
  function selectContract(otherPage) {
    const contracts = document.body.dataset.contracts.split(" ").filter(Boolean);
    const requested = new URLSearchParams(location.search).get("contract");
    const contract = contracts.includes(requested) ? requested : contracts[0];
    if (requested && requested !== contract) {
      document.getElementById("notice").textContent = `This server has no version “${requested}”. The documentation of ${contract} is shown.`;
      document.getElementById("notice").classList.add("error");
    }
    document.querySelector(`[data-contract="${contract}"]`)?.setAttribute("aria-current", "page");
    document.getElementById("other-page").href = url(`${otherPage}/${contract}`);
    document.title = document.title.replace(" · ", ` of ${contract} · `);
    return contract;
  }

  // The height of the header changes with the session and with the width of the page. Anchors must not be covered by it.
  const bar = document.querySelector(".bar");
  function measureBar() {
    const root = document.documentElement.style;
    if (getComputedStyle(bar).position === "sticky") root.setProperty("--bar-height", `${bar.offsetHeight}px`);
    else root.removeProperty("--bar-height");
  }
  if (bar) {
    new ResizeObserver(measureBar).observe(bar);
    addEventListener("resize", measureBar);
  }

  return { base, url, script, style, json, loaded, failed, selectContract };
})();
