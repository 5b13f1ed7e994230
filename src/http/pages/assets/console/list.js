// Tables that load page by page, and filters that are part of the address.
"use strict";

(() => {
  const { beforeLoad, busy, create, json, number, say, sayError } = window.BucketListConsole;

  /**
   * Returns an empty table. The roles keep it a table for screen readers where CSS shows its rows as blocks.
   * Columns: `{ title, cell(row) → text or node, className, head }`; `head` is a node in place of the title.
   */
  function table(label, columns) {
    const head = columns.map(({ title, className = "", head: content }) => create("th", {
      className, attributes: { scope: "col", role: "columnheader" }, children: [content ?? title],
    }));
    const body = create("tbody", { attributes: { role: "rowgroup" } });
    const headRow = create("tr", { attributes: { role: "row" }, children: head });
    return create("table", {
      attributes: { role: "table", "aria-label": label },
      children: [create("thead", { attributes: { role: "rowgroup" }, children: [headRow] }), body],
    });
  }

  function row(columns, value) {
    const cells = columns.map(({ title, cell, className = "" }) => {
      const content = cell(value);
      const children = [create("div", { children: Array.isArray(content) ? content : [content ?? ""] })];
      return create("td", { className, attributes: { role: "cell", "data-label": title }, children });
    });
    return create("tr", { attributes: { role: "row" }, children: cells });
  }

  /** Fills a table with values and returns it. */
  function filled(label, columns, values) {
    const created = table(label, columns);
    created.tBodies[0].append(...values.map((value) => row(columns, value)));
    return created;
  }

  /** Returns a column of boxes that select rows, and the selection. `name(value)` names a row for screen readers. */
  function selection(name, onChange) {
    const values = new Map();
    const all = create("input", { attributes: { type: "checkbox", "aria-label": "Select all rows" } });
    const boxes = () => [...values.keys()].filter((box) => box.isConnected);
    const selected = () => boxes().filter((box) => box.checked).map((box) => values.get(box));
    function update() {
      const shown = boxes();
      const count = selected().length;
      all.checked = count > 0 && count === shown.length;
      all.indeterminate = count > 0 && count < shown.length;
      onChange(selected());
    }
    function select(isSelected) {
      for (const box of boxes()) box.checked = isSelected;
      update();
    }
    all.addEventListener("change", () => select(all.checked));
    const cell = (value) => {
      const box = create("input", { attributes: { type: "checkbox", "aria-label": `Select ${name(value)}` } });
      values.set(box, value);
      box.addEventListener("change", update);
      return box;
    };
    return { column: { title: "Select", head: all, className: "select", cell }, clear: () => select(false), selected, update };
  }

  /** Returns a text with an explanation in place of an empty table. */
  function emptyState(title, text, actions = []) {
    return create("div", { className: "empty-state", children: [create("p", { text: title, className: "empty-title" }), create("p", { text }), ...actions] });
  }

  /**
   * Shows a list of the API in `root`, one page at a time. `path()` returns the path of the first page; `empty` is the text without any entry,
   * `emptyTitle` its title. `read(path)` requests a page. `noMatch()` returns `{ title, text }` if the filters exclude all entries, or null. `clear()` removes the filters; `onPage(page)` is called with each page. Returns `reload` and `replace`.
   */
  function list({ root, label, columns, path, empty, emptyTitle = "Nothing here yet", isFiltered = () => false, noMatch = () => null, clear = null, read = json, onPage = () => {} }) {
    const body = table(label, columns);
    const none = create("div", { attributes: { hidden: "" } });
    const more = create("button", { text: "Show more", className: "button more", attributes: { type: "button", hidden: "" } });
    root.replaceChildren(body, none, more);
    const rows = body.tBodies[0];
    let next = null;
    let generation = 0;

    async function load(from) {
      const current = generation;
      body.setAttribute("aria-busy", "true");
      try {
        const page = await read(from);
        if (current !== generation) return []; // other filters have been applied since
        next = page.links.next;
        const added = page.data.map((value) => row(columns, value));
        rows.append(...added);
        more.hidden = !next;
        none.hidden = rows.childElementCount > 0;
        if (!none.hidden) none.replaceChildren(isFiltered() ? nothingMatches() : emptyState(emptyTitle, empty));
        body.hidden = rows.childElementCount === 0;
        onPage(page);
        return added;
      } finally {
        if (current === generation) body.removeAttribute("aria-busy");
      }
    }

    function nothingMatches() {
      const button = create("button", { text: "Clear the filters", className: "button", attributes: { type: "button" } });
      if (clear) button.addEventListener("click", clear);
      const { title, text } = noMatch() ?? { title: "Nothing matches these filters.", text: "Remove a filter, or check its spelling." };
      return emptyState(title, text, clear ? [button] : []);
    }

    more.addEventListener("click", () => busy(more, async () => {
      const [first] = await load(next);
      if (!first) return;
      first.tabIndex = -1;
      first.focus();
      say(`${number(rows.childElementCount)} entries are shown.`);
    }));

    async function reload() {
      generation += 1;
      rows.replaceChildren();
      more.hidden = true;
      none.hidden = true;
      say("Loading…");
      try {
        await load(path());
        say("");
      } catch (error) {
        body.hidden = true;
        throw error;
      }
    }

    /** Replaces the row with this element by another value, and returns the new row, or removes it. The focus moves to the next row. */
    function replace(element, value, movesFocus = true) {
      const old = element.closest("tr");
      const neighbor = old.nextElementSibling ?? old.previousElementSibling;
      const created = value && row(columns, value);
      if (created) old.replaceWith(created);
      else old.remove();
      if (!movesFocus) return created;
      const focused = created ?? neighbor ?? document.getElementById("content");
      focused.tabIndex = -1;
      focused.focus();
      return created;
    }

    return { reload, replace };
  }

  /**
   * Keeps the fields of a form and the query of the address equal. `normalize` can change a value by its name, or throw a message for the user;
   * `others` are names in the address that are no filters. Returns `params`, the filters of the address.
   */
  function filters(form, onChange, normalize = {}, others = []) {
    const names = [...new Set([...form.elements].map(({ name }) => name).filter(Boolean))];
    const warning = create("p", { className: "error-text", attributes: { role: "alert", hidden: "" } });
    form.before(warning);

    function params() {
      const all = new URLSearchParams(location.search);
      return new URLSearchParams([...all].filter(([name, value]) => names.includes(name) && value !== ""));
    }

    function fill() {
      const current = params();
      for (const name of names) form.elements[name].value = current.get(name) ?? form.elements[name].dataset.default ?? "";
    }

    function apply(values) {
      const query = values.toString();
      history.pushState(null, "", query ? `?${query}` : location.pathname);
      fill();
      return change();
    }

    const change = () => check().then(onChange).catch((error) => sayError(error, change));

    /** Returns the option of a field with fixed options that equals a value regardless of case; undefined for other fields. */
    function optionOf(field, value) {
      if (field.tagName !== "SELECT" || field.options.length < 2) return undefined;
      return [...field.options].find((option) => option.value.toLowerCase() === value.toLowerCase()) ?? null;
    }

    /** Corrects the filters of the address as if they were entered, and says which of them are unknown. */
    async function check() {
      const all = new URLSearchParams(location.search);
      const problems = [];
      for (const [name, value] of [...all]) {
        if (others.includes(name) || value === "") continue;
        const field = form.elements[name];
        if (!names.includes(name)) {
          problems.push(`“${name}” is not a filter of this page.`);
          continue;
        }
        const option = optionOf(field, value);
        if (option) all.set(name, option.value);
        if (option === null) {
          const label = field.labels[0].firstChild.textContent.trim();
          problems.push(`“${value}” is not a value of the filter “${label}”: it is ignored.`);
          all.delete(name);
        } else if (normalize[name]) {
          try {
            all.set(name, await normalize[name](value));
          } catch (error) {
            if (error instanceof TypeError || error.status) throw error;
            problems.push(error.message);
          }
        }
      }
      warning.textContent = problems.join(" ");
      warning.hidden = problems.length === 0;
      const query = all.toString();
      if (query !== new URLSearchParams(location.search).toString()) {
        history.replaceState(null, "", query ? `?${query}` : location.pathname);
        fill();
      }
    }

    /** Returns the values of the fields as filters. */
    async function values() {
      const entered = new URLSearchParams();
      for (const [name, value] of new FormData(form)) {
        const text = String(value).trim();
        if (text && text !== form.elements[name].dataset.default) entered.set(name, normalize[name] ? await normalize[name](text) : text);
      }
      return entered;
    }

    form.addEventListener("submit", (event) => {
      event.preventDefault();
      values().then(apply).catch(sayError);
    });
    const clear = () => apply(new URLSearchParams());
    form.addEventListener("reset", (event) => {
      event.preventDefault();
      clear();
    });
    addEventListener("popstate", () => {
      fill();
      change();
    });
    fill();
    beforeLoad(check);
    return { params, apply, clear, values };
  }

  Object.assign(window.BucketListConsole, { emptyState, filled, filters, list, selection });
})();
