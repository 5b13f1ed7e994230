// Applies the selected color scheme before the page is displayed, and adds the button that selects it. Without this script, the pages have the
// scheme of the system.
"use strict";

(() => {
  const KEY = "bucketlist.theme";
  const CHOICES = ["system", "light", "dark"];
  const isDark = matchMedia("(prefers-color-scheme: dark)");

  // Storage can be disabled.
  const read = () => { try { return localStorage.getItem(KEY); } catch { return null; } };
  const write = (value) => { try { localStorage.setItem(KEY, value); } catch { /* not remembered */ } };

  let choice = CHOICES.includes(read()) ? read() : "system";

  function apply() {
    const system = isDark.matches ? "dark" : "light";
    document.documentElement.dataset.theme = choice === "system" ? system : choice;
    const button = document.getElementById("theme");
    if (button) button.textContent = `Theme: ${choice}`;
  }

  apply();
  isDark.addEventListener("change", apply);
  // Another tab has selected a scheme.
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== KEY) return;
    choice = CHOICES.includes(newValue) ? newValue : "system";
    apply();
  });
  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    button.hidden = false;
    button.addEventListener("click", () => {
      choice = CHOICES[(CHOICES.indexOf(choice) + 1) % CHOICES.length];
      write(choice);
      apply();
    });
    apply();
  });
})();
