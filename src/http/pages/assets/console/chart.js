// Plots as SVG: bars or lines over time, with a table of the same data for the keyboard and for screen readers.
"use strict";

(() => {
  const { create, filled } = window.BucketListConsole;
  const SVG = "http://www.w3.org/2000/svg";
  const HEIGHT = 176;
  const MARGIN = { top: 8, right: 4, bottom: 22, left: 44 };

  function shape(tag, attributes, text) {
    const created = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) created.setAttribute(name, value);
    if (text !== undefined) created.textContent = text;
    return created;
  }

  /** Returns the smallest of 1, 2 and 5 times a power of ten that is not below the value. */
  function niceMaximum(value) {
    if (value <= 0) return 1;
    const power = 10 ** Math.floor(Math.log10(value));
    return [1, 2, 5, 10].map((factor) => factor * power).find((candidate) => candidate >= value * 0.999);
  }

  const compact = (value) => new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 }).format(value);

  function draw(svg, { labels, series, kind, unit }) {
    const width = svg.clientWidth || 600;
    const [plotWidth, plotHeight] = [width - MARGIN.left - MARGIN.right, HEIGHT - MARGIN.top - MARGIN.bottom];
    const maximum = niceMaximum(Math.max(0, ...series.flatMap(({ values }) => values.filter((value) => value !== null))));
    const x = (index) => MARGIN.left + (plotWidth * (index + 0.5)) / labels.length;
    const y = (value) => MARGIN.top + plotHeight * (1 - value / maximum);
    svg.setAttribute("viewBox", `0 0 ${width} ${HEIGHT}`);
    svg.replaceChildren();
    for (const value of [0, maximum / 2, maximum]) {
      svg.append(shape("line", { class: "grid", x1: MARGIN.left, x2: width - MARGIN.right, y1: y(value), y2: y(value) }));
      svg.append(shape("text", { x: MARGIN.left - 6, y: y(value) + 4, "text-anchor": "end" }, compact(value)));
    }
    const marks = labels.length > 2 ? [0, Math.floor((labels.length - 1) / 2), labels.length - 1] : labels.map((_, index) => index);
    for (const index of marks) {
      const anchor = index === 0 && labels.length > 1 ? "start" : index === labels.length - 1 && labels.length > 1 ? "end" : "middle";
      const position = anchor === "start" ? MARGIN.left : anchor === "end" ? width - MARGIN.right : x(index);
      svg.append(shape("text", { x: position, y: HEIGHT - 6, "text-anchor": anchor }, labels[index]));
    }
    const barWidth = Math.max(1, (plotWidth / labels.length) * 0.7);
    series.forEach(({ name, values, tone: letter }) => {
      const title = (index) => shape("title", {}, `${labels[index]}: ${compact(values[index])}${unit} ${name}`);
      if (kind === "bars") {
        values.forEach((value, index) => {
          const bar = shape("rect", { class: `bar-${letter}`, x: x(index) - barWidth / 2, y: y(value ?? 0), width: barWidth, height: MARGIN.top + plotHeight - y(value ?? 0) });
          bar.append(title(index));
          svg.append(bar);
        });
        return;
      }
      // Periods without a request interrupt the line.
      const segments = values.reduce((all, value, index) => {
        if (value === null) all.push([]);
        else all.at(-1).push(`${x(index)},${y(value)}`);
        return all;
      }, [[]]);
      for (const points of segments.filter(({ length }) => length > 1)) svg.append(shape("polyline", { class: `line line-${letter}`, points: points.join(" ") }));
      values.forEach((value, index) => {
        if (value === null) return;
        const dot = shape("circle", { class: `dot-${letter}`, cx: x(index), cy: y(value), r: 2.5 });
        dot.append(title(index));
        svg.append(dot);
      });
    });
  }

  /** Returns a figure. `series`: `{ name, values, tone }`, one value or null per label; `tone`: `a` (all), `b` (bad) or `c`; `kind`: `bars` or `lines`. */
  function chart({ title, labels, series, kind, unit = "", none = "No requests in this period." }) {
    const legend = create("ul", {
      className: "legend",
      children: series.map(({ name, tone }) => {
        const sample = shape("svg", { viewBox: "0 0 10 10", "aria-hidden": "true" });
        sample.append(shape("rect", { class: `bar-${tone}`, width: 10, height: 10, rx: 2 }));
        return create("li", { children: [sample, name] });
      }),
    });
    const caption = create("figcaption", { text: title, children: [legend] });
    const figure = create("figure", { className: "chart", children: [caption] });
    if (!series.some(({ values }) => values.some((value) => value))) {
      figure.append(create("p", { text: none, className: "chart-none" }));
      return figure;
    }
    const svg = shape("svg", { role: "img", "aria-label": `${title}; the data is in the table below` });
    const columns = [{ title: "Time", cell: ({ label }) => label }, ...series.map(({ name, values }) => ({
      title: name, className: "number", cell: ({ index }) => (values[index] === null ? "–" : `${new Intl.NumberFormat("en", { maximumFractionDigits: 2 }).format(values[index])}${unit}`),
    }))];
    const rows = labels.map((label, index) => ({ label, index })).reverse();
    const data = create("div", { attributes: { tabindex: "0", role: "region", "aria-label": `Data of ${title}` }, children: [filled(title, columns, rows)] });
    figure.append(svg, create("details", { children: [create("summary", { text: "Data" }), data] }));
    new ResizeObserver(() => draw(svg, { labels, series, kind, unit })).observe(svg);
    return figure;
  }

  /** Returns small bars of daily numbers, the current day last, with a description for screen readers. */
  function sparkline(values) {
    const [width, height] = [98, 24];
    const maximum = Math.max(1, ...values);
    const step = width / values.length;
    const total = values.reduce((sum, value) => sum + value, 0);
    const text = `${compact(total)} in ${values.length} days, ${compact(values.at(-1))} today`;
    const svg = shape("svg", { class: "sparkline", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": text });
    svg.append(shape("title", {}, text));
    values.forEach((value, index) => {
      const bar = value === 0 ? 1 : Math.max(3, (value / maximum) * height);
      svg.append(shape("rect", { class: value === 0 ? "spark-none" : "spark", x: index * step, y: height - bar, width: step - 1.5, height: bar }));
    });
    return svg;
  }

  Object.assign(window.BucketListConsole, { chart, sparkline });
})();
