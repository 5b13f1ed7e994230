// Language tabs, copy buttons and the search of the reference and the guides. The pages work without this script: they show the curl samples.
"use strict";

const base = document.documentElement.dataset.basePath ?? "";
for (const origin of document.querySelectorAll("[data-origin]")) origin.textContent = location.origin + base;

// `/reference#createItem`: the overview links to each operation.
if (/^#\w+$/.test(location.hash) && !document.getElementById(location.hash.slice(1))) {
  const operation = document.querySelector(`main a[href$="${location.hash}"]`);
  if (operation) location.replace(operation.href);
}

/** The selected language, remembered for all operations and pages. */
(() => {
  const KEY = "bucketlist.language";
  const groups = [...document.querySelectorAll(".samples")];

  // Storage can be disabled.
  const read = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const write = (value) => { try { localStorage.setItem(KEY, value); } catch { /* not remembered */ } };

  function select(chosen) {
    for (const group of groups) {
      for (const tab of group.querySelectorAll("[role=tab]")) {
        const isChosen = tab.dataset.language === chosen;
        tab.setAttribute("aria-selected", String(isChosen));
        tab.tabIndex = isChosen ? 0 : -1;
      }
      for (const panel of group.querySelectorAll("pre")) {
        panel.hidden = panel.dataset.language !== chosen;
      }
    }
  }

  /** Selects a language and keeps the clicked tab where it is: samples above it can change their height. */
  function choose(tab) {
    const before = tab.getBoundingClientRect().top;
    select(tab.dataset.language);
    write(tab.dataset.language);
    tab.focus({ preventScroll: true });
    scrollBy(0, tab.getBoundingClientRect().top - before);
  }

  function addTabs(group, number) {
    const tabs = document.createElement("div");
    tabs.className = "tabs";
    tabs.setAttribute("role", "tablist");
    tabs.setAttribute("aria-label", "Language of the sample");
    for (const panel of group.querySelectorAll("pre")) {
      const tab = document.createElement("button");
      tab.type = "button";
      tab.textContent = panel.dataset.label;
      tab.dataset.language = panel.dataset.language;
      tab.id = `tab-${number}-${panel.dataset.language}`;
      panel.id = `sample-${number}-${panel.dataset.language}`;
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", panel.id);
      panel.setAttribute("role", "tabpanel");
      tab.addEventListener("click", () => choose(tab));
      tabs.append(tab);
    }
    tabs.addEventListener("keydown", (event) => {
      const all = [...tabs.children];
      const at = all.indexOf(event.target);
      const moves = { ArrowRight: at + 1, ArrowLeft: at - 1, Home: 0, End: all.length - 1 };
      if (!(event.key in moves)) return;
      event.preventDefault();
      choose(all[(moves[event.key] + all.length) % all.length]);
    });
    const row = document.createElement("div");
    row.className = "tab-row";
    row.append(tabs);
    group.prepend(row);
  }

  groups.forEach(addTabs);
  const known = groups.length > 0 && [...groups[0].querySelectorAll("pre")].map((panel) => panel.dataset.language);
  const remembered = read();
  if (known) select(known.includes(remembered) ? remembered : known[0]);
})();

// The clipboard is available only in a secure context (HTTPS or localhost).
if (navigator.clipboard) {
  /** Returns a button that copies the text that `source` returns. */
  const copyButton = (label, source) => {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    // The name of the button contains its text, which changes.
    const show = (text) => {
      button.textContent = text;
      button.setAttribute("aria-label", `${text}: ${label}`);
    };
    show("Copy");
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(source().textContent);
        show("Copied");
      } catch {
        show("Copy failed");
      }
      setTimeout(() => show("Copy"), 2000);
    });
    return button;
  };
  for (const group of document.querySelectorAll(".samples")) {
    const title = group.closest("section").querySelector("h2").textContent;
    group.querySelector(".tab-row").append(copyButton(title, () => group.querySelector("pre:not([hidden]) code")));
  }
  for (const block of document.querySelectorAll(".guide pre:not([data-output])")) {
    const frame = document.createElement("div");
    frame.className = "frame";
    block.replaceWith(frame);
    frame.append(copyButton(block.getAttribute("aria-label"), () => block.querySelector("code")), block);
  }
}

/** Marks the operation that is displayed in the navigation. */
(() => {
  const operations = [...document.querySelectorAll(".operation")];
  const links = new Map([...document.querySelectorAll(".side a[href^='#']")].map((link) => [link.hash.slice(1), link]));
  if (operations.length === 0) return;
  const side = document.querySelector(".side");
  let marked = null;
  let isScheduled = false;

  function mark() {
    isScheduled = false;
    // Where the address of an operation scrolls it to, and a little more.
    const line = parseFloat(getComputedStyle(document.documentElement).scrollPaddingTop) + 24;
    const shown = operations.findLast((operation) => operation.getBoundingClientRect().top <= line);
    const link = links.get(shown?.id) ?? null;
    if (link === marked) return;
    marked?.removeAttribute("aria-current");
    link?.setAttribute("aria-current", "location");
    marked = link;
    if (!link) return;
    const [inner, outer] = [link.getBoundingClientRect(), side.getBoundingClientRect()];
    if (inner.top < outer.top || inner.bottom > outer.bottom) side.scrollTop += inner.top - outer.top - outer.height / 2;
  }

  function schedule() {
    if (isScheduled) return;
    isScheduled = true;
    requestAnimationFrame(mark);
  }
  for (const event of ["scroll", "resize", "load"]) addEventListener(event, schedule, { passive: true });
  mark();
})();

// The menu closes when a link in it is followed, on screens where it covers the page.
document.querySelector(".menu")?.addEventListener("click", (event) => {
  if (event.target.closest("a")) event.currentTarget.open = false;
});

/** The search over operations, parameters, headers, error codes, guides and the pages of the console. The index is loaded when the search opens. */
(() => {
  const MAX_RESULTS = 30;
  const dialog = document.getElementById("search-dialog");
  const input = document.getElementById("search-text");
  const list = document.getElementById("search-results");
  const status = document.getElementById("search-status");
  const opener = document.getElementById("search-open");
  const source = document.getElementById("search-index").href;
  let index = null;
  let selected = -1;

  async function load() {
    if (index) return;
    status.textContent = "Loading…";
    try {
      const response = await fetch(source);
      if (!response.ok) throw new Error(response.status);
      index = (await response.json()).map((entry) => ({
        ...entry,
        heading: entry.title.toLowerCase(),
        terms: `${entry.kind} ${entry.title} ${entry.detail} ${entry.keywords}`.toLowerCase(),
        text: (entry.text ?? "").toLowerCase(),
      }));
      status.textContent = "";
      update();
    } catch {
      status.textContent = "The search index did not load. Close the search and open it again.";
    }
  }

  /** Returns how well an entry matches: 0 if a word is missing. */
  function rank(entry, words) {
    let points = 0;
    for (const word of words) {
      const at = entry.terms.indexOf(word);
      const uses = entry.text.split(word).length - 1;
      if (at < 0 && uses === 0) return 0;
      points += Math.min(uses, 9) / 100;
      if (at < 0) points += 0.5;
      else if (entry.heading.startsWith(word)) points += 8;
      else if (entry.heading.includes(word)) points += 4;
      else points += /[\s/{_-]/.test(entry.terms[at - 1] ?? " ") ? 2 : 1;
    }
    // The former version and sections of guides come after the others. Headers, such as `X-API-Key`, are explained in the guides.
    const isHeader = words.some((word) => /^[a-z]+(-[a-z]+)+$/.test(word));
    const isSection = entry.kind === "Guide" && entry.detail !== "" && !isHeader;
    return entry.kind === "v1" || isSection ? points - 0.5 : points;
  }

  function update() {
    list.replaceChildren();
    selected = -1;
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    if (index && words.length > 0) {
      const found = index.map((entry) => ({ entry, points: rank(entry, words) })).filter(({ points }) => points > 0);
      found.sort((one, other) => other.points - one.points);
      for (const { entry } of found.slice(0, MAX_RESULTS)) list.append(option(entry));
      const more = found.length > MAX_RESULTS ? `, the first ${MAX_RESULTS} are shown` : "";
      status.textContent = found.length === 0 ? `No results for “${input.value.trim()}”.` : `${found.length} ${found.length === 1 ? "result" : "results"}${more}`;
      if (found.length > 0) select(0);
    } else if (index) {
      status.textContent = "";
    }
    input.setAttribute("aria-expanded", String(list.children.length > 0));
    if (selected < 0) input.removeAttribute("aria-activedescendant");
  }

  function option(entry) {
    const item = document.createElement("li");
    item.setAttribute("role", "option");
    item.id = `result-${list.children.length}`;
    item.dataset.url = new URL(entry.url, source).href;
    item.textContent = entry.title;
    const detail = document.createElement("small");
    detail.textContent = [entry.kind, entry.detail].filter(Boolean).join(" · ");
    item.append(detail);
    item.addEventListener("click", () => open(item));
    return item;
  }

  function select(position) {
    const items = [...list.children];
    if (items.length === 0) return;
    selected = (position + items.length) % items.length;
    items.forEach((item, at) => item.setAttribute("aria-selected", String(at === selected)));
    items[selected].scrollIntoView({ block: "nearest" });
    input.setAttribute("aria-activedescendant", items[selected].id);
  }

  function open(item) {
    dialog.close();
    location.assign(item.dataset.url);
  }

  function show() {
    if (!dialog.open) dialog.showModal();
    input.select();
    load();
  }

  opener.hidden = false;
  opener.addEventListener("click", show);
  document.getElementById("search-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  input.addEventListener("input", update);
  input.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") select(selected + 1);
    else if (event.key === "ArrowUp") select(selected - 1);
    else if (event.key === "Enter" && selected >= 0) open(list.children[selected]);
    else return;
    event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
      event.preventDefault();
      show();
    }
  });
})();
