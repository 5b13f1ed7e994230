// Keyboard shortcuts of the console. Not while the user types, and not with modifier keys. They can be disabled, because single keys conflict with
// speech input.
"use strict";

(() => {
  const { create, element, reload } = window.BucketListConsole;
  const STORAGE_KEY = "bucketlist-console-shortcuts";
  const SEQUENCE_MS = 1500;
  const dialog = element("shortcuts");
  const isEnabled = () => localStorage.getItem(STORAGE_KEY) !== "off";

  /** Shortcuts by their keys: `{ text, run }`. */
  const shortcuts = new Map();
  const add = (keys, text, run) => shortcuts.set(keys, { text, run });

  // ---- actions ------------------------------------------------------------------------------------------------------

  const isVisible = (node) => node.checkVisibility();
  const rows = () => [...document.querySelectorAll("#view table tbody tr")].filter(isVisible);

  /** Focuses the next row of the tables, or the previous one: its link, if it has one. */
  function moveRow(step) {
    const all = rows();
    if (all.length === 0) return;
    const current = all.findIndex((row) => row.contains(document.activeElement));
    const row = all[Math.min(all.length - 1, Math.max(0, current + step))] ?? all[0];
    const target = row.querySelector("a[href]") ?? row;
    if (target === row) row.tabIndex = -1;
    target.focus();
    row.scrollIntoView({ block: "nearest" });
  }

  function clickIfPossible(id) {
    const target = element(id);
    if (target && isVisible(target) && !target.disabled && target.getAttribute("aria-disabled") !== "true") target.click();
  }

  function focusFilter() {
    const field = [...document.querySelectorAll("#view :is(input, select):not([type=checkbox], [type=file])")].find(isVisible);
    field?.focus();
    field?.select?.();
  }

  function toggleRow() {
    const box = document.activeElement.closest?.("tr")?.querySelector("input[type=checkbox]");
    box?.click();
  }

  function show() {
    element("shortcut-list").replaceChildren(...[...shortcuts].flatMap(([keys, { text }]) => [
      create("dt", { children: keys.split(" ").flatMap((key, index) => [...(index ? [" "] : []), create("kbd", { text: key })]) }),
      create("dd", { text }),
    ]));
    element("shortcuts-enabled").checked = isEnabled();
    dialog.showModal();
  }

  add("?", "Show the keyboard shortcuts", show);
  add("/", "Go to the first filter", focusFilter);
  add("j", "Next row", () => moveRow(1));
  add("k", "Previous row", () => moveRow(-1));
  add("r", "Reload the data", () => element("view").hidden || reload());
  if (element("incident")) {
    add("x", "Select the row", toggleRow);
    add("n", "Next (older) incident", () => clickIfPossible("older"));
    add("p", "Previous (newer) incident", () => clickIfPossible("newer"));
    add("u", "Back to the list", () => clickIfPossible("back"));
    add("e", "Mark the incident as resolved or unresolved", () => clickIfPossible("resolve"));
  }
  for (const section of document.querySelectorAll(".sections a[data-key]")) {
    add(`g ${section.dataset.key}`, `Go to ${section.textContent}`, () => section.click());
  }

  // ---- keys ---------------------------------------------------------------------------------------------------------

  const isTyping = (node) => node.closest?.("input:not([type=checkbox], [type=radio]), select, textarea, [contenteditable]") !== null;
  let first = null;

  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || event.defaultPrevented) return;
    if (isTyping(event.target) || document.querySelector("dialog[open]") || !isEnabled()) return;
    const keys = first && event.timeStamp - first.at < SEQUENCE_MS ? `${first.key} ${event.key}` : event.key;
    first = null;
    const found = shortcuts.get(keys);
    if (found) {
      event.preventDefault();
      found.run();
    } else if ([...shortcuts.keys()].some((other) => other.startsWith(`${event.key} `))) {
      first = { key: event.key, at: event.timeStamp };
    }
  });

  element("show-shortcuts").addEventListener("click", show);
  element("shortcuts-enabled").addEventListener("change", ({ target }) => {
    if (target.checked) localStorage.removeItem(STORAGE_KEY);
    else localStorage.setItem(STORAGE_KEY, "off");
  });
})();
