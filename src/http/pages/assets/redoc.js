// Starts Redoc over the document of the chosen contract.
"use strict";

(() => {
  const element = (id) => document.getElementById(id);

  function say(text) {
    element("notice").textContent = text;
    element("notice").classList.add("error");
  }

  if (typeof Redoc !== "object") {
    say("Redoc did not load. Reload the page; if that does not help, this server was built without it.");
    return;
  }
  const contracts = document.body.dataset.contracts.split(" ").filter(Boolean);
  const asked = new URLSearchParams(location.search).get("contract");
  const contract = contracts.includes(asked) ? asked : contracts[0];
  document.querySelector(`[data-contract="${contract}"]`)?.setAttribute("aria-current", "page");
  element("elsewhere").href = `/docs?contract=${contract}`;

  const style = getComputedStyle(document.documentElement);
  const sans = style.getPropertyValue("--sans");
  const mono = style.getPropertyValue("--mono");
  const options = {
    // The browser's own search finds everything on the page; Redoc's would need a worker made of a string.
    disableSearch: true,
    nativeScrollbars: true,
    requiredPropsFirst: true,
    scrollYOffset: () => document.querySelector(".bar").getBoundingClientRect().bottom,
    theme: { typography: { fontFamily: sans, headings: { fontFamily: sans }, code: { fontFamily: mono } } },
  };
  Redoc.init(`/openapi/${contract}.json`, options, element("reference"), (error) => {
    if (error) say("The document cannot be shown. Reload the page; if that does not help, look at the server's log.");
  });
})();
