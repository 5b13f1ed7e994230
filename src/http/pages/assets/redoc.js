// Starts Redoc with the document of the selected API version, in the colours of the page.
"use strict";

(() => {
  const { failed, json, loaded, script, selectContract } = window.BucketListPage;
  const reference = document.getElementById("redoc");
  const dark = matchMedia("(prefers-color-scheme: dark)");

  /** Returns the theme of Redoc from the colours of the style sheet. */
  function theme() {
    const style = getComputedStyle(document.documentElement);
    const value = (name) => style.getPropertyValue(`--${name}`).trim();
    const [text, muted, ground, raised, code, line, accent] = ["text", "muted", "ground", "raised", "code", "line", "accent"].map(value);
    const method = dark.matches ? "#175e54" : "#0b5f57";
    return {
      spacing: { sectionVertical: 24 },
      colors: {
        primary: { main: value("accent-strong") },
        success: { main: value("success") },
        warning: { main: value("warning"), contrastText: ground },
        error: { main: value("error") },
        gray: { 50: ground, 100: line },
        text: { primary: text, secondary: muted },
        border: { dark: line, light: line },
        responses: {
          success: { color: value("success"), backgroundColor: code, tabTextColor: "#7ee2a8" },
          error: { color: value("error"), backgroundColor: code, tabTextColor: "#ff9b8f" },
          redirect: { color: muted, backgroundColor: code, tabTextColor: "#e8ebe9" },
          info: { color: accent, backgroundColor: code, tabTextColor: "#e8ebe9" },
        },
        http: Object.fromEntries(["get", "post", "put", "options", "patch", "delete", "basic", "link", "head"].map((name) => [name, name === "delete" ? "#8c2318" : method])),
      },
      schema: { linesColor: line, typeNameColor: muted, typeTitleColor: muted, requireLabelColor: value("error"), nestedBackground: code, arrow: { color: muted } },
      typography: {
        fontSize: "16px", lineHeight: "1.6", fontFamily: value("sans"),
        headings: { fontFamily: value("sans"), fontWeight: "650" },
        code: { fontFamily: value("mono"), fontSize: "14px", color: text, backgroundColor: code, wrap: true },
        links: { color: accent, visited: accent, hover: value("accent-strong"), textDecoration: "underline" },
      },
      sidebar: { backgroundColor: raised, textColor: text, activeTextColor: accent, groupItems: { activeBackgroundColor: code, activeTextColor: accent }, level1Items: { activeBackgroundColor: code, activeTextColor: accent } },
      rightPanel: {
        backgroundColor: "#1b2422", textColor: "#e8ebe9",
        servers: { overlay: { backgroundColor: raised, textColor: text }, url: { backgroundColor: code } },
      },
      codeBlock: { backgroundColor: "#101514" },
      fab: { backgroundColor: raised, color: accent },
    };
  }

  /** Sets the attribute only if it changes: the changes are observed. */
  function set(element, attribute, value) {
    if (element.getAttribute(attribute) !== value) element.setAttribute(attribute, value);
  }

  // Redoc's menu consists of list items that react to clicks only. Their titles become links for the keyboard and for screen readers.
  function repair() {
    const each = (selector, change) => reference.querySelectorAll(selector).forEach(change);
    each(".menu-content", (menu) => { set(menu, "role", "navigation"); set(menu, "aria-label", "Operations"); });
    each(".menu-content :is(ul, li)", (element) => { set(element, "role", "none"); element.removeAttribute("tabindex"); });
    each(".menu-content li > label", (label) => {
      const title = label.querySelector("span[title], span:last-of-type") ?? label;
      if (title.tabIndex !== 0) {
        title.tabIndex = 0;
        title.addEventListener("keydown", (event) => {
          if (event.key !== "Enter" && event.key !== " ") return;
          event.preventDefault();
          label.click();
        });
      }
      label.removeAttribute("role");
      set(title, "role", "link");
      if (label.classList.contains("active")) set(title, "aria-current", "true");
      else title.removeAttribute("aria-current");
    });
    each("select:not([aria-label])", (select) => set(select, "aria-label", "Media type"));
    each('button[aria-label="expand properties"]', (button) => button.removeAttribute("aria-label"));
    each("pre, .redoc-json", (block) => { block.tabIndex = 0; });
    for (const [tag, level] of [["h1", "2"], ["h2", "3"], ["h3", "4"], ["h5", "4"]]) {
      each(tag, (heading) => { set(heading, "role", "heading"); set(heading, "aria-level", level); });
    }
  }

  function watch() {
    let scheduled = false;
    const run = () => { scheduled = false; repair(); };
    new MutationObserver(() => {
      if (scheduled) return;
      scheduled = true;
      requestAnimationFrame(run);
    }).observe(reference, { childList: true, subtree: true, attributes: true, attributeFilter: ["class"] });
    run();
  }

  async function load() {
    const contract = selectContract("/docs");
    const [document_] = await Promise.all([json(`/openapi/${contract}.json`), script(document.body.dataset.redocScript)]);
    if (typeof Redoc !== "object") throw new Error("Redoc is missing");
    const options = {
      // Redoc's search needs a worker created from a string, which the policy forbids. The browser's search covers the page.
      disableSearch: true,
      nativeScrollbars: true,
      requiredPropsFirst: true,
      hideDownloadButton: false,
      scrollYOffset: () => {
        const bar = document.querySelector(".bar");
        return getComputedStyle(bar).position === "sticky" ? bar.offsetHeight : 0;
      },
      theme: theme(),
    };
    loaded();
    await new Promise((resolve, reject) => {
      Redoc.init(document_, options, reference, (error) => (error ? reject(error) : resolve()));
    });
    watch();
  }

  // The colours are part of the styles that Redoc generates.
  dark.addEventListener("change", () => location.reload());
  load().catch(() => failed("The reference did not load. If the problem persists, contact the operator of this server."));
})();
