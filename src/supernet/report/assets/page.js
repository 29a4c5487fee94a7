"use strict";
// Draws the charts in the page's own colours, fills the inspector, copies text.
(() => {
  const root = document.documentElement;

  // Charts name colours as CSS variables; plotly needs their values.
  function coloured(value) {
    if (typeof value === "string") {
      const match = /^var\((--[a-z-]+)\)$/.exec(value);
      return match ? getComputedStyle(root).getPropertyValue(match[1]).trim() : value;
    }
    if (Array.isArray(value)) return value.map(coloured);
    if (value && typeof value === "object") {
      return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, coloured(item)]));
    }
    return value;
  }

  const markup = (text) => text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");

  const option = (value) =>
    Array.isArray(value) ? value.map(option).join(", ") : value === null ? "–" : String(value);

  // "stage1.width" and "stage1.depth" belong together: one line per stage.
  function grouped(arch) {
    const groups = new Map();
    for (const [name, value] of Object.entries(arch)) {
      const dot = name.lastIndexOf(".");
      const group = dot < 0 ? "" : name.slice(0, dot);
      if (!groups.has(group)) groups.set(group, []);
      groups.get(group).push([name.slice(dot + 1), option(value)]);
    }
    return groups;
  }

  function hoverText(item) {
    const lines = ["<b>" + markup(item.title) + "</b>"];
    for (const [label, short] of item.values) lines.push(markup(label) + "  <b>" + markup(short) + "</b>");
    lines.push("");
    const groups = [...grouped(item.arch)];
    const shown = groups.slice(0, 16);
    for (const [group, decisions] of shown) {
      const words = decisions.map(([name, value]) => name + " " + value);
      for (let start = 0; start < words.length; start += 4) {
        const head = start === 0 && group ? group + ":  " : "";
        lines.push(markup(head + words.slice(start, start + 4).join(", ")));
      }
    }
    if (groups.length > shown.length) lines.push("… click for all " + groups.length);
    return lines.join("<br>");
  }

  function element(name, text, className) {
    const made = document.createElement(name);
    if (text !== undefined) made.textContent = text;
    if (className) made.className = className;
    return made;
  }

  function inspect(panel, item, hint) {
    const values = element("table", undefined, "facts");
    for (const [label, short, exact] of item.values) {
      const row = values.insertRow();
      row.append(element("th", label));
      const cell = element("td", short);
      cell.title = exact;
      row.append(cell);
    }
    const decisions = element("table", undefined, "facts decisions");
    for (const [group, words] of grouped(item.arch)) {
      const row = decisions.insertRow();
      if (group) {
        const cell = element("td");
        words.forEach(([name, value], place) => { // a decision does not break inside
          if (place) cell.append(" ");
          cell.append(element("span", name + " " + value + (place < words.length - 1 ? "," : ""), "word"));
        });
        row.append(element("th", group), cell);
      } else {
        row.remove();
        for (const [name, value] of words) {
          const single = decisions.insertRow();
          single.append(element("th", name), element("td", value));
        }
      }
    }
    const copy = element("button", "Copy as JSON");
    copy.type = "button";
    copy.dataset.copy = JSON.stringify(item.arch);
    const state = element("p", hint, "muted");
    panel.replaceChildren(element("h3", item.title), values, decisions, copy, state);
  }

  function layoutOf(view, narrow) {
    const axis = {
      gridcolor: "var(--line)", zerolinecolor: "var(--line)", linecolor: "var(--line)",
      tickfont: { color: "var(--muted)" }, automargin: true,
    };
    const shared = {
      font: { family: getComputedStyle(document.body).fontFamily, size: 13, color: "var(--muted)" },
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
      margin: { l: 8, r: narrow ? 4 : 12, t: 34, b: 8 },
      legend: { orientation: "h", x: 0, y: 1.01, yanchor: "bottom", font: { color: "var(--text)" } },
      hoverlabel: {
        bgcolor: "var(--card)", bordercolor: "var(--border)", align: "left", namelength: -1,
        font: { family: getComputedStyle(document.body).fontFamily, size: 12.5, color: "var(--text)" },
      },
      modebar: { bgcolor: "rgba(0,0,0,0)", color: "var(--faint)", activecolor: "var(--muted)" },
      dragmode: narrow ? false : "zoom", autosize: true,
    };
    return {
      ...shared, ...view.layout,
      xaxis: { ...axis, ...view.layout.xaxis }, yaxis: { ...axis, ...view.layout.yaxis },
    };
  }

  const config = {
    displaylogo: false, responsive: true,
    modeBarButtons: [["zoom2d", "pan2d", "resetScale2d"], ["toImage"]],
  };

  const charts = [...document.querySelectorAll(".chart")].map((plot) => {
    const spec = JSON.parse(document.getElementById(plot.id + "-data").textContent);
    const hover = spec.items.map(hoverText);
    const chart = { plot, view: 0 };
    chart.draw = () => {
      const narrow = plot.clientWidth < 560;
      const view = spec.views[chart.view];
      const traces = spec.traces.map((trace, number) => {
        const merged = { ...trace, ...(view.traces[number] || {}) };
        if (merged.customdata) merged.hovertext = merged.customdata.map((index) => hover[index]);
        if (narrow && merged.marker && merged.marker.showscale) {
          merged.marker = { ...merged.marker, showscale: false };
        }
        return merged;
      });
      const settings = { ...config, displayModeBar: narrow ? false : "hover" };
      return Plotly.react(plot, coloured(traces), coloured(layoutOf(view, narrow)), settings);
    };
    return { chart, spec };
  });

  // Left and right go along the points of a series, up and down to another, Enter keeps one: as the mouse does.
  function walk({ chart, spec }, show) {
    let now = spec.start;
    const series = () => spec.traces
      .map((trace, curve) => ({ ...trace, ...(spec.views[chart.view].traces[curve] || {}), curve }))
      .filter((trace) => trace.customdata && trace.x)
      .map(({ x, customdata, curve }) => customdata.map((item, point) => ({ item, x: x[point], curve, point }))
        .filter((one) => one.x !== null).sort((a, b) => a.x - b.x))
      .filter((points) => points.length);
    const nearest = (points, x) => points.reduce((best, one) => (Math.abs(one.x - x) < Math.abs(best.x - x) ? one : best));
    const moves = {
      ArrowLeft: (points, place) => points[Math.max(place - 1, 0)],
      ArrowRight: (points, place) => points[Math.min(place + 1, points.length - 1)],
      Home: (points) => points[0],
      End: (points) => points[points.length - 1],
      ArrowUp: (points, place, all) => nearest(all[(all.indexOf(points) + 1) % all.length], points[place].x),
      ArrowDown: (points, place, all) => nearest(all.at(all.indexOf(points) - 1), points[place].x),
      Enter: (points, place) => points[place],
    };
    chart.plot.tabIndex = 0;
    chart.plot.setAttribute("role", "application"); // lest a screen reader keeps the arrow keys for itself
    chart.plot.setAttribute("aria-roledescription", "chart");
    chart.plot.ariaLabel += ". Left and right go from point to point, up and down to another series, Enter keeps one.";
    chart.plot.addEventListener("keydown", (event) => {
      const all = series();
      if (!moves[event.key] || event.ctrlKey || event.altKey || event.metaKey || !all.length) return;
      event.preventDefault();
      const points = all.find((points) => points.some((one) => one.item === now)) || all.at(-1);
      const place = Math.max(points.findIndex((one) => one.item === now), 0);
      const next = moves[event.key](points, place, all);
      now = next.item;
      Plotly.Fx.hover(chart.plot, [{ curveNumber: next.curve, pointNumber: next.point }]);
      show(spec.items[now], event.key === "Enter");
    });
    chart.plot.addEventListener("blur", () => Plotly.Fx.unhover(chart.plot));
  }

  for (const { chart, spec } of charts) {
    chart.draw();
    const panel = document.getElementById(chart.plot.id + "-inspector");
    if (!panel) continue;
    let kept = false;
    if (spec.items[spec.start]) inspect(panel, spec.items[spec.start], "Point at another architecture to see it here.");
    const show = (item, keep) => {
      if (!item || (kept && !keep)) return;
      kept = keep;
      inspect(panel, item, keep ? "Kept. Click another point (or Enter) to replace it." : "Click the point (or Enter) to keep it here.");
    };
    const itemOf = (event) => spec.items[event.points[0].customdata];
    chart.plot.on("plotly_hover", (event) => show(itemOf(event), false));
    chart.plot.on("plotly_click", (event) => show(itemOf(event), true));
    if (spec.items.length) walk({ chart, spec }, show);
  }
  const drawAll = () => { for (const { chart } of charts) chart.draw(); };

  for (const select of document.querySelectorAll("select[data-chart]")) {
    const { chart } = charts.find(({ chart }) => chart.plot.id === select.dataset.chart);
    const choose = () => { chart.view = Number(select.value); chart.draw(); };
    select.addEventListener("change", choose);
    if (select.value !== "0") choose(); // a reloaded page may keep the choice
  }

  // What a chart shows, as a table: a row per point, with the decisions of the architecture behind it.
  const plain = (text) => text.replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  function cell(value) {
    if (value === null || value === undefined) return "";
    if (typeof value !== "string") return String(value);
    const text = /^[=+\-@\t\r]/.test(value) ? "'" + value : value; // lest a spreadsheet takes it for a formula
    return /[",\r\n]/.test(text) ? '"' + text.replace(/"/g, '""') + '"' : text;
  }
  function tableOf({ chart, spec }) {
    const view = spec.views[chart.view];
    const name = (axis, usual) => plain((((view.layout || {})[axis] || {}).title || {}).text || usual);
    const shown = spec.traces.map((trace, number) => ({ ...trace, ...(view.traces[number] || {}) }))
      .filter((trace) => trace.visible !== false && trace.x);
    const items = (trace, place) => (trace.customdata && spec.items[trace.customdata[place]]) || null;
    const decisions = [...new Set(shown.flatMap((trace) =>
      trace.x.flatMap((_, place) => Object.keys((items(trace, place) || { arch: {} }).arch))))];
    const deep = shown.some((trace) => trace.z);
    const titled = shown.some((trace) => trace.x.some((_, place) => items(trace, place)));
    const head = ["series", name("xaxis", "x"), name("yaxis", "y")];
    if (deep) head.push(plain((shown.find((trace) => trace.z).colorbar || { title: {} }).title.text || "z"));
    if (titled) head.push("name", ...decisions);
    const rows = [head];
    for (const trace of shown) {
      const series = plain(trace.name || "");
      if (trace.z) {
        trace.y.forEach((y, row) => trace.x.forEach((x, column) => {
          rows.push([series, x, typeof y === "string" ? plain(y) : y, trace.z[row][column]]);
        }));
        continue;
      }
      trace.x.forEach((x, place) => {
        const item = items(trace, place);
        const decided = (key) => (item && key in item.arch ? option(item.arch[key]) : "");
        const told = titled ? [item ? item.title : "", ...decisions.map(decided)] : [];
        rows.push([series, x, trace.y[place], ...(deep ? [""] : []), ...told]);
      });
    }
    return rows.map((row) => row.map(cell).join(",") + "\r\n").join("");
  }
  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-csv]");
    if (!button) return;
    const found = charts.find(({ chart }) => chart.plot.id === button.dataset.csv);
    const link = element("a");
    link.download = button.dataset.csv.replace(/^chart-/, "") + ".csv";
    link.href = URL.createObjectURL(new Blob([tableOf(found)], { type: "text/csv" }));
    link.click();
    setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  });

  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => {
    root.dataset.print = "";
    drawAll();
    for (const closed of document.querySelectorAll("details:not([open])")) {
      closed.open = true;
      closed.dataset.opened = "";
    }
  });
  addEventListener("afterprint", () => {
    delete root.dataset.print;
    drawAll();
    for (const opened of document.querySelectorAll("details[data-opened]")) {
      opened.open = false;
      delete opened.dataset.opened;
    }
  });

  async function copyText(text) {
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      const field = element("textarea", text);
      document.body.append(field);
      field.select();
      document.execCommand("copy");
      field.remove();
    }
  }
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button[data-copy]");
    if (!button) return;
    const words = button.textContent;
    await copyText(button.dataset.copy);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = words; }, 1200);
  });
  root.dataset.drawn = String(charts.length);
})();
