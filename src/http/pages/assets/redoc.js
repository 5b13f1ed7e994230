// Starts Redoc over the document of the chosen contract.
"use strict";

(() => {
  const element = (id) => document.getElementById(id);

  function showMessage(text) {
    element("notice").textContent = text;
    element("notice").classList.add("error");
  }

  if (typeof Redoc !== "object") {
    showMessage("Redoc did not load. Reload the page. If the problem persists, contact the operator of this server.");
    return;
  }
  const contracts = document.body.dataset.contracts.split(" ").filter(Boolean);
  const requested = new URLSearchParams(location.search).get("contract");
  const contract = contracts.includes(requested) ? requested : contracts[0];
  document.querySelector(`[data-contract="${contract}"]`)?.setAttribute("aria-current", "page");
  element("other-page").href = `/docs?contract=${contract}`;

  const style = getComputedStyle(document.documentElement);
  const sans = style.getPropertyValue("--sans");
  const mono = style.getPropertyValue("--mono");
  const options = {
    // Redoc's search needs a worker created from a string, which the policy forbids. The browser's search covers the page.
    disableSearch: true,
    nativeScrollbars: true,
    requiredPropsFirst: true,
    scrollYOffset: () => document.querySelector(".bar").getBoundingClientRect().bottom,
    theme: { typography: { fontFamily: sans, headings: { fontFamily: sans }, code: { fontFamily: mono } } },
  };
  Redoc.init(`/openapi/${contract}.json`, options, element("reference"), (error) => {
    if (error) showMessage("The OpenAPI document could not be displayed. Reload the page. If the problem persists, contact the operator of this server.");
  });
})();
