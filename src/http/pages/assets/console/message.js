// Captured requests and responses as text: JSON with indentation and colors, placeholders marked, large bodies cut until the user asks for them.
"use strict";

(() => {
  const { create, number, visible } = window.BucketListConsole;
  /** Number of characters of a body that are displayed at first: more would make the page slow. */
  const SHOWN = 20_000;

  /** Returns the tokens of JSON with whitespace for its indentation. Numbers keep their digits and duplicate keys remain. */
  function* indented(text) {
    let depth = 0;
    let previous = "";
    const tokens = text.match(/"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/g) ?? [];
    for (const [index, token] of tokens.entries()) {
      const isEmpty = /[}\]]/.test(tokens[index + 1] ?? "");
      if (token === "{" || token === "[") {
        depth += 1;
        yield { text: token };
        if (!isEmpty) yield { text: `\n${"  ".repeat(depth)}` };
      } else if (token === "}" || token === "]") {
        depth -= 1;
        yield { text: /[{[]/.test(previous) ? token : `\n${"  ".repeat(depth)}${token}` };
      } else if (token === ",") {
        yield { text: `,\n${"  ".repeat(depth)}` };
      } else if (token === ":") {
        yield { text: ": " };
      } else {
        const kind = token[0] !== "\"" ? "literal" : tokens[index + 1] === ":" ? "key" : "string";
        yield { text: token, kind };
      }
      previous = token;
    }
  }

  function isJson(text) {
    try {
      JSON.parse(text);
      return true;
    } catch {
      return false;
    }
  }

  const isNumber = (text) => /^-?\d+(\.\d+)?(e[+-]?\d+)?$/i.test(text);
  /** Placeholders that are parts of other words. They are marked only as complete values. */
  const isCommon = (placeholder) => placeholder.length < 4 || isNumber(placeholder);
  const COMPLETE = {
    json: ["(?<=^\"?)", "(?=\"?$)"],
    text: ["(?<![\\p{L}\\p{N}_.+-])", "(?![\\p{L}\\p{N}_.+-])"],
    target: ["(?<==)", "(?=&|$)"],
  };

  /** Returns a function that splits a text into parts and marks its placeholders. `kind` selects what a complete value is. */
  function marker(placeholders, kind) {
    const listed = placeholders.filter((placeholder) => kind in COMPLETE || !isCommon(placeholder));
    if (listed.length === 0) return (text) => [text];
    const longestFirst = [...listed].sort((a, b) => b.length - a.length);
    const pattern = longestFirst.map((placeholder) => {
      const escaped = placeholder.replace(/[.*+?^${}()|[\]\\/]/g, "\\$&");
      return isCommon(placeholder) ? COMPLETE[kind].join(escaped) : escaped;
    }).join("|");
    const split = new RegExp(`(${pattern})`, "u");
    const mark = (text) => create("mark", { text, className: "placeholder", attributes: { title: "Placeholder of a masked value" } });
    return (text) => text.split(split).map((part, index) => (index % 2 ? mark(part) : part));
  }

  /** Returns the nodes of about `limit` characters of a body, and whether that is all of it. */
  function bodyNodes(text, placeholders, limit) {
    if (!isJson(text)) return { nodes: marker(placeholders, "text")(text.slice(0, limit)), isComplete: text.length <= limit };
    const marked = marker(placeholders, "json");
    const nodes = [];
    let length = 0;
    for (const { text: token, kind } of indented(text)) {
      if (length >= limit) return { nodes, isComplete: false };
      length += token.length;
      nodes.push(kind ? create("span", { className: `json-${kind}`, children: marked(token) }) : token);
    }
    return { nodes, isComplete: true };
  }

  /** Shows a message in `target`: the first line, the headers and the body. */
  function showMessage(target, first, { headers, body }, placeholders) {
    const marked = marker(placeholders, "headers");
    const nodes = [create("span", { className: "first-line", children: marker(placeholders, "target")(first) })];
    for (const { name, value } of headers) nodes.push("\n", create("span", { text: `${name}: `, className: "json-key" }), ...marked(visible(value)));
    nodes.push("\n");
    target.replaceChildren(...nodes);
    const text = visible(body.text ?? `(base64)\n${body.base64}`);
    const end = body.truncated ? [create("span", { text: "\n… (truncated: exceeds the capture limit)", className: "muted" })] : [];
    if (!(body.text || body.base64)) return target.append(create("span", { text: "\n(no body)", className: "muted" }));
    const { nodes: shown, isComplete } = bodyNodes(text, placeholders, SHOWN);
    if (isComplete) return target.append("\n", ...shown, ...end);
    const rest = create("button", { text: `Show all ${number(text.length)} characters`, className: "button", attributes: { type: "button" } });
    const part = create("span", { children: shown });
    rest.addEventListener("click", () => {
      rest.remove();
      part.replaceChildren(...bodyNodes(text, placeholders, Infinity).nodes);
      target.append(...end);
      target.focus();
    });
    return target.append("\n", part, "\n", rest);
  }

  window.BucketListConsole.showMessage = showMessage;
})();
