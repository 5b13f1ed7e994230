// The landing page works without this script; with it, the commands name this very server and can be copied.
"use strict";

for (const place of document.querySelectorAll("[data-origin]")) place.textContent = location.origin;

// The clipboard exists only in a secure context (HTTPS or localhost): no button that cannot do what it says.
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
        button.textContent = "Not allowed";
      }
      setTimeout(() => { button.textContent = "Copy"; }, 2000);
    });
    const frame = document.createElement("div");
    frame.className = "frame";
    block.replaceWith(frame);
    frame.append(block, button);
  }
}
