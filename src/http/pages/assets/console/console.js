// What all sections of the console share: the session of an administrator, messages, dialogs and small helpers.
"use strict";

window.BucketListConsole = (() => {
  const { call: send, clear, logIn, logOut, messageOf, onChange, stored, user: requestUser } = window.BucketList;

  const element = (id) => document.getElementById(id);
  const notice = element("notice");

  function say(text, isError = false) {
    notice.textContent = text;
    notice.classList.toggle("error", isError);
  }

  const sayError = (error) => say(messageOf(error), true);

  /** Creates an element with text and children, never with markup. */
  function create(tag, { text, className, attributes = {}, children = [] } = {}) {
    const created = document.createElement(tag);
    if (text !== undefined) created.textContent = text;
    if (className) created.className = className;
    for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
    created.append(...children);
    return created;
  }

  const link = (text, href) => create("a", { text, attributes: { href } });

  // ---- requests -----------------------------------------------------------------------------------------------------

  /** Sends a request as the administrator. Changes apply to any version of the resource: `If-Match` may be mandatory. */
  const call = (path, options = {}) => send(path, {
    ...options,
    headers: { ...(["PATCH", "PUT", "DELETE"].includes(options.method) && { "If-Match": "*" }), ...options.headers },
  });

  const json = async (path, options) => (await call(path, options)).json();

  /** The schemas of the API, for the values of filters. */
  let document_ = null;
  const contract = () => (document_ ??= fetch("/openapi/v2.json").then((response) => response.json()));

  // ---- formats ------------------------------------------------------------------------------------------------------

  const time = (timestamp) => (timestamp ? timestamp.replace("T", " ").replace(/\.\d+Z$|Z$/, " UTC") : "–");
  const number = (value) => new Intl.NumberFormat("en").format(value);
  const day = (date) => date.toISOString().slice(0, 10);
  const daysUntil = (date) => Math.ceil((Date.parse(date) - Date.now()) / 86_400_000);

  /** Returns the name of a consumer of the API, and the value of the filter that selects it. */
  function consumerName(consumer) {
    if (!consumer) return "–";
    const kind = { api_client: "API client", user: "User", anonymous: "Anonymous" }[consumer.kind] ?? consumer.kind;
    return consumer.id ? `${kind} ${consumer.id}${consumer.name ? `: ${consumer.name}` : ""}` : `${kind}: ${consumer.name ?? "unknown"}`;
  }
  const consumerKey = ({ kind, id, name }) => `${kind}:${id ?? name}`;

  // ---- files and clipboard ------------------------------------------------------------------------------------------

  function download(blob, name) {
    const anchor = create("a", { attributes: { download: name } });
    anchor.href = URL.createObjectURL(blob);
    anchor.click();
    URL.revokeObjectURL(anchor.href);
  }

  async function copy(text, button) {
    const label = button.textContent;
    try {
      await navigator.clipboard.writeText(text);
      button.textContent = "Copied";
    } catch {
      button.textContent = "Copy failed: select the text";
    }
    setTimeout(() => { button.textContent = label; }, 2000);
  }

  // ---- buttons and dialogs ------------------------------------------------------------------------------------------

  /** Disables a button while its work is running, and shows an error. The focus stays on the button. */
  async function busy(button, work) {
    const hadFocus = document.activeElement === button;
    button.disabled = true;
    try {
      return await work();
    } catch (error) {
      sayError(error);
      return undefined;
    } finally {
      button.disabled = false;
      if (hadFocus && document.activeElement === document.body && button.isConnected) button.focus();
    }
  }

  const onClick = (button, work) => button.addEventListener("click", () => busy(button, work));

  /** Asks for a confirmation. Resolves to the values of the fields, or to null. */
  function confirm({ title, text, label, fields = [] }) {
    const dialog = element("dialog");
    element("dialog-title").textContent = title;
    element("dialog-text").textContent = text;
    element("dialog-confirm").textContent = label;
    element("dialog-fields").replaceChildren(...fields);
    dialog.returnValue = "";
    dialog.showModal();
    return new Promise((resolve) => {
      dialog.addEventListener("close", () => {
        const values = Object.fromEntries(new FormData(dialog.querySelector("form")));
        resolve(dialog.returnValue === "confirm" ? values : null);
      }, { once: true });
    });
  }

  // ---- session ------------------------------------------------------------------------------------------------------

  let load = null;
  let user = null;

  function showPanel(name) {
    for (const id of ["login", "forbidden", "view"]) element(id).hidden = id !== name;
    element("session").hidden = name === "login";
  }

  /** Shows the section, the form to log in, or why the user may not see the section. */
  async function show() {
    if (!stored()) {
      user = null;
      showPanel("login");
      return;
    }
    try {
      user ??= await requestUser();
    } catch (error) {
      if (stored()) sayError(error);
      return;
    }
    element("session-user").textContent = user.email;
    element("session-role").textContent = user.role;
    element("forbidden-user").textContent = user.email;
    showPanel(user.role === "admin" ? "view" : "forbidden");
    if (user.role === "admin") await load();
  }

  const notAdmin = ({ role, email }) => (role === "admin" ? null : `${email} is not an administrator. The console is for administrators only.`);

  element("login").addEventListener("submit", (event) => {
    event.preventDefault();
    const form = event.target;
    busy(form.querySelector("button"), async () => {
      say("Logging in…");
      const session = await logIn(element("login-email").value, element("login-password").value, notAdmin);
      form.reset(); // leave no password in a hidden field
      user = session.user;
      say("");
      await show();
      element("content").focus();
    });
  });

  async function end() {
    await logOut();
    say("Logged out.");
  }
  onClick(element("logout"), end);
  onClick(element("switch-account"), end);

  onChange((session, reason) => {
    if (!session) {
      // What the user has entered stays in the hidden view.
      user = null;
      showPanel("login");
      if (reason) say(reason, true);
      element("login-email").focus();
    } else if (!user) {
      // Another tab has logged in. A login in this tab continues by itself.
      if (!session.user) show().catch(sayError);
    }
  });

  /** Registers the function that loads the data of the section, and starts the page. */
  function start(section) {
    load = section;
    return show().catch(sayError);
  }

  return {
    busy, call, clear, confirm, consumerKey, consumerName, contract, copy, create, day, daysUntil, download, element, json, link, number, onClick,
    say, sayError, start, time,
  };
})();
