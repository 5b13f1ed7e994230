// The requests that were sent from this page, newest first, as curl commands. They are kept in memory only: bodies can contain passwords.
"use strict";

window.BucketListHistory = (() => {
  const MAX_ENTRIES = 50;
  const panel = document.getElementById("history");
  const list = panel.querySelector("ol");
  const pending = [];

  const quoted = (text) => `'${text.replaceAll("'", "'\\''")}'`;

  /** Idempotency keys that the page has added to requests. The user has not entered them, and a key is valid for one request. */
  const addedKeys = new Set();

  /** Returns a command that sends the request with a token from the environment. */
  function curl({ method, url, headers, body }) {
    const parts = [`curl -X ${method} ${quoted(url)}`];
    for (const [name, value] of Object.entries(headers ?? {})) {
      if (addedKeys.has(value)) continue;
      if (/^authorization$/i.test(name)) parts.push('-H "Authorization: Bearer $TOKEN"');
      else if (/^x-api-key$/i.test(name)) parts.push('-H "X-API-Key: $TOKEN"');
      else parts.push(`-H ${quoted(`${name}: ${value}`)}`);
    }
    if (body) parts.push(`--data-raw ${quoted(typeof body === "string" ? body : JSON.stringify(body))}`);
    return parts.join(" \\\n  ");
  }

  /** Returns a button that copies a text, or null: the clipboard is available only in a secure context (HTTPS or localhost). */
  function copyButton(text, subject) {
    if (!navigator.clipboard) return null;
    const button = document.createElement("button");
    button.type = "button";
    button.className = "button";
    // The name of the button contains its text, which changes.
    const show = (label) => {
      button.textContent = label;
      button.setAttribute("aria-label", `${label}: ${subject}`);
    };
    show("Copy as curl");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(text());
        show("Copied");
      } catch {
        show("Copy failed");
      }
      setTimeout(() => show("Copy as curl"), 2000);
    });
    return button;
  }

  function started(request) {
    const { method = "GET", url, headers = {}, body } = request;
    pending.push({ method: method.toUpperCase(), url: new URL(url, location.href).href, headers: { ...headers }, body, at: new Date() });
  }

  function ended(response) {
    const at = pending.findIndex(({ url }) => url === response.url);
    if (at < 0) return;
    const [request] = pending.splice(at, 1);
    list.prepend(entry(request, response.status));
    while (list.children.length > MAX_ENTRIES) list.lastElementChild.remove();
    panel.hidden = false;
    panel.querySelector(".count").textContent = String(list.children.length);
  }

  function entry(request, status) {
    const item = document.createElement("li");
    const { pathname, search } = new URL(request.url);
    const time = document.createElement("time");
    time.dateTime = request.at.toISOString();
    time.textContent = request.at.toLocaleTimeString();
    const code = document.createElement("code");
    code.textContent = `${request.method} ${pathname}${search}`;
    const result = document.createElement("span");
    result.textContent = `${status}, ${new Date() - request.at} ms`;
    item.append(time, code, result);
    const button = copyButton(() => curl(request), code.textContent);
    if (button) item.append(button);
    return item;
  }

  return { addedKeys, copyButton, curl, ended, started };
})();
