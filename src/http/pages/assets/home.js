// Inserts the address of this server into the commands and adds copy buttons. The page works without this script.
"use strict";

for (const origin of document.querySelectorAll("[data-origin]")) origin.textContent = location.origin + (document.documentElement.dataset.basePath ?? "");

// The clipboard is available only in a secure context (HTTPS or localhost).
if (navigator.clipboard) {
  for (const block of document.querySelectorAll("pre")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "copy";
    button.textContent = "Copy";
    button.setAttribute("aria-label", `Copy the ${block.getAttribute("aria-label").toLowerCase()}`);
    button.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(block.querySelector("code").textContent);
        button.textContent = "Copied";
      } catch {
        button.textContent = "Copy failed";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const frame = document.createElement("div");
    frame.className = "frame";
    block.replaceWith(frame);
    frame.append(button, block);
  }
}
