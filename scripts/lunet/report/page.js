"use strict";
// The page about a training: reads the data above it and draws. No library.

const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const key in attributes) made[key] = attributes[key];
  made.append(...children);
  return made;
}

function drawn(name, attributes, text) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}

function bytesOf(base64) {
  return Uint8Array.from(atob(base64), c => c.charCodeAt(0));
}

const short = v => v === null ? "not finite" : +v.toPrecision(4) + "";

// ---- facts

for (const [name, value] of data.facts)
  at("facts").append(element("div", {}, element("dt", {}, name),
                             element("dd", {}, value)));

// ---- curves

const colours = ["#1f5fbf", "#d9480f", "#2b8a3e", "#9c36b5"];

function ticks(low, high, log) {
  if (log) {
    const list = [];
    for (let e = Math.floor(low); e <= Math.ceil(high); e++)
      for (const m of [1, 2, 5]) {
        const v = e + Math.log10(m);
        if (v >= low && v <= high) list.push(v);
      }
    return list;
  }
  const rough = (high - low) / 5 || 1, power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough * 0.999);
  const list = [];
  for (let k = Math.ceil(low / step - 1e-9); k * step <= high + step * 1e-9; k++)
    list.push(k * step);
  return list;
}

// lines: { name, points: [x, y, least, largest], colour, faint }
function chart(place, title, lines, options) {
  const width = 500, height = 300, left = 54, right = 14, top = 44, bottom = 34;
  const toY = v => options.log ? Math.log10(v) : v;
  const usable = v => v !== null && v !== undefined && (!options.log || v > 0);
  lines = lines.map(l => ({ ...l, points: l.points.filter(p => usable(p[1])) }))
               .filter(l => l.points.length > 0);
  const ys = lines.flatMap(l => l.points.map(p => toY(p[1])));
  const xs = lines.flatMap(l => l.points.map(p => p[0]));
  place.replaceChildren();
  const svg = drawn("svg", { viewBox: `0 0 ${width} ${height}`, role: "img" });
  svg.append(drawn("text", { x: 4, y: 16, class: "name" }, title));
  place.append(svg);
  if (ys.length === 0) {
    svg.append(drawn("text", { x: left, y: 90 }, "nothing was recorded"));
    return;
  }
  let low = options.low ?? Math.min(...ys), high = options.high ?? Math.max(...ys);
  if (low === high) { low -= 0.5; high += 0.5; }
  const first = Math.min(0, ...xs), last = Math.max(...xs, first + 1);
  const x = v => left + (v - first) / (last - first) * (width - left - right);
  const y = v => height - bottom - (v - low) / (high - low) *
                                   (height - top - bottom);
  for (const v of ticks(low, high, options.log)) {
    svg.append(drawn("line", { x1: left, x2: width - right, y1: y(v), y2: y(v),
                               stroke: "#e6e9ee" }));
    svg.append(drawn("text", { x: left - 6, y: y(v) + 4, "text-anchor": "end" },
                     short(options.log ? 10 ** v : v) + (options.unit || "")));
  }
  for (const v of ticks(first, last))
    svg.append(drawn("text", { x: x(v), y: height - bottom + 16,
                               "text-anchor": "middle" }, short(v)));
  svg.append(drawn("text", { x: width - right, y: height - 4,
                             "text-anchor": "end" }, options.xName));
  let legend = left;
  for (const line of lines) {
    if (line.faint && line.points[0].length === 4) {
      const up = line.points.map(p => `${x(p[0])},${y(toY(p[3]))}`);
      const down = line.points.map(p => `${x(p[0])},${y(toY(Math.max(p[2],
        options.log ? 1e-12 : p[2])))}`).reverse();
      svg.append(drawn("polygon", { points: [...up, ...down].join(" "),
                                    fill: line.colour, opacity: 0.15 }));
    }
    svg.append(drawn("polyline", {
      points: line.points.map(p => `${x(p[0])},${y(toY(p[1]))}`).join(" "),
      fill: "none", stroke: line.colour, "stroke-width": line.faint ? 1 : 2,
      opacity: line.faint ? 0.55 : 1 }));
    if (!line.faint && line.points.length <= 40)
      for (const p of line.points) {
        const dot = drawn("circle", { cx: x(p[0]), cy: y(toY(p[1])), r: 3.5,
                                      fill: line.colour });
        dot.append(drawn("title", {}, `${line.name}: ${short(p[1])}`));
        svg.append(dot);
      }
    svg.append(drawn("line", { x1: legend, x2: legend + 18, y1: 31, y2: 31,
                               stroke: line.colour, "stroke-width": 3,
                               opacity: line.faint ? 0.55 : 1 }));
    const end = line.points[line.points.length - 1][1];
    const label = line.faint ? line.name : `${line.name} ${short(end)}${options.unit || ""}`;
    svg.append(drawn("text", { x: legend + 23, y: 35 }, label));
    legend += 40 + 6.6 * label.length;
  }
}

function drawCurves() {
  const c = data.curves;
  const end = i => c.ends[i] ?? i + 1;
  const xName = c.ends.length ? "step" : "epoch";
  const line = (name, list, colour, scale = 1) => ({ name, colour,
    points: list.map((v, i) => [end(i), v === null ? null : v * scale]) });
  chart(at("loss"), "loss", [
    { name: "each step", points: c.steps, colour: colours[0], faint: true },
    line("training", c.loss, colours[0]),
    line("validation", c.validation_loss, colours[1])],
    { log: at("log").checked, xName });
  chart(at("accuracy"), "accuracy", [
    line("training", c.accuracy, colours[0], 100),
    line("validation", c.validation, colours[1], 100)],
    { high: 100, unit: " %", xName });
}
at("log").addEventListener("change", drawCurves);
drawCurves();

// ---- weights and gradients over time

// The range of a parameter's values over all snapshots.
function rangeOf(spreads) {
  const known = spreads.filter(s => s && s.count);
  if (!known.length) return null;
  return [Math.min(...known.map(s => s.low)), Math.max(...known.map(s => s.high))];
}

const levels = 40;

// Counts over its own range, as shares over the levels of a common range.
function shares(spread, [low, high]) {
  const out = new Array(levels).fill(0);
  if (!spread || !spread.count) return out;
  const bins = spread.count.length, all = spread.count.reduce((a, b) => a + b, 0);
  const size = (spread.high - spread.low) / bins, level = (high - low) / levels || 1;
  spread.count.forEach((n, i) => {
    const from = spread.low + i * size - low, to = from + size;
    for (let k = Math.max(0, Math.floor(from / level));
         k < levels && k * level < to; k++) {
      const part = Math.min(to, (k + 1) * level) - Math.max(from, k * level);
      if (part > 0) out[k] += n / all * part / size;
    }
  });
  return out;
}

function band(canvas, spreads, range, moment) {
  const n = spreads.length, wide = 6;
  canvas.width = n * wide; canvas.height = levels;
  const pen = canvas.getContext("2d");
  spreads.forEach((s, i) => {
    const list = shares(s, range), most = Math.max(...list, 1e-9);
    list.forEach((v, k) => {
      pen.fillStyle = `rgba(31,95,191,${Math.sqrt(v / most)})`;
      if (v > 0) pen.fillRect(i * wide, levels - 1 - k, wide, 1);
    });
  });
  pen.fillStyle = "rgba(217,72,15,0.9)";
  pen.fillRect(moment * wide + wide / 2 - 0.5, 0, 1, levels);
}

function bars(canvas, spread) {
  canvas.width = 120; canvas.height = 54;
  const pen = canvas.getContext("2d");
  if (!spread || !spread.count) return;
  const most = Math.max(...spread.count), wide = 120 / spread.count.length;
  pen.fillStyle = "#1f5fbf";
  spread.count.forEach((n, i) => {
    const high = n ? Math.max(1, n / most * 54) : 0;
    pen.fillRect(i * wide, 54 - high, wide - 0.5, high);
  });
}

function rangeText(spread) {
  if (!spread) return "";
  if (!spread.count) return "no finite number";
  const bad = spread.not_finite ? `, ${spread.not_finite} not finite` : "";
  return `${short(spread.low)} … ${short(spread.high)}${bad}`;
}

const layerRows = [];

function addLayerRows() {
  const l = data.layers;
  at("layers").append(element("div", { className: "layer head" },
    element("span"), element("span", {}, "weights over time"),
    element("span", {}, "at this moment"),
    element("span", {}, "gradients over time"),
    element("span", {}, "at this moment")));
  l.names.forEach((name, i) => {
    const row = { weights: l.snapshots.map(s => s.weights[i]),
                  grads: l.snapshots.map(s => s.grads[i]) };
    row.text = element("div", {}, element("b", {}, name), element("small"));
    row.parts = ["weights", "grads"].map(kind => ({ kind,
      range: rangeOf(row[kind]), band: element("canvas"),
      bars: element("canvas"), text: element("small") }));
    const line = element("div", { className: "layer" }, row.text);
    for (const p of row.parts)
      line.append(element("div", {}, p.band),
                  element("div", {}, p.bars, p.text));
    at("layers").append(line);
    layerRows.push(row);
  });
}

function showLayers(moment) {
  for (const row of layerRows) {
    for (const p of row.parts) {
      const now = row[p.kind][moment];
      if (p.range) band(p.band, row[p.kind], p.range, moment);
      bars(p.bars, now);
      p.text.textContent = rangeText(now);
    }
    const w = row.weights[moment], g = row.grads[moment];
    row.text.lastChild.textContent = w && g && w.norm && g.norm != null ?
      `|gradient| / |weight| ${(g.norm / w.norm).toExponential(1)}` : "";
  }
}

// ---- filters

// Blue is negative, white zero, red positive.
function signColour(v) {
  const s = (v - 128) / 127, fade = 1 - Math.abs(s);
  return s < 0 ? [255 * fade + 33 * -s, 255 * fade + 102 * -s, 255 * fade + 190 * -s]
               : [255 * fade + 200 * s, 255 * fade + 40 * s, 255 * fade + 40 * s];
}

function showFilters(moment) {
  const f = data.layers.filters;
  if (!f) { at("filters").hidden = true; return; }
  const bytes = bytesOf(f.frames[moment]), plane = f.height * f.width;
  const columns = Math.min(f.count, 16), rows = Math.ceil(f.count / columns);
  const scale = Math.max(2, Math.min(16, Math.floor(56 / f.width)));
  const cell = [f.width * scale + 6, f.height * scale + 6];
  const canvas = at("filters"), pen = canvas.getContext("2d");
  canvas.width = columns * cell[0]; canvas.height = rows * cell[1];
  for (let k = 0; k < f.count; k++)
    for (let i = 0; i < plane; i++) {
      const x = (k % columns) * cell[0] + (i % f.width) * scale;
      const y = Math.floor(k / columns) * cell[1] + Math.floor(i / f.width) * scale;
      const at0 = k * f.channels * plane + i;
      const c = f.channels === 3 ?
        [0, 1, 2].map(ch => bytes[at0 + ch * plane]) : signColour(bytes[at0]);
      pen.fillStyle = `rgb(${c.map(Math.round).join(",")})`;
      pen.fillRect(x, y, scale, scale);
    }
  at("filters-name").textContent = `${f.name}: ${f.count === f.all ? "" :
    f.count + " of "}${f.all} filters ${f.height}x${f.width}` +
    (f.channels === 3 ? ", as colours" : `, blue -${short(f.scale)}, white 0, ` +
     `red ${short(f.scale)}`);
}

// ---- the slider

function showMoment() {
  const moment = +at("moment").value, s = data.layers.snapshots[moment];
  at("moment-name").textContent = s.step === 0 ? "before the first step" :
    `step ${s.step}, epoch ${s.epoch}`;
  showFilters(moment);
  showLayers(moment);
}

let playing = null;
function play() {
  const slider = at("moment");
  if (playing) { clearInterval(playing); playing = null; }
  else {
    if (slider.value === slider.max) slider.value = 0;
    playing = setInterval(() => {
      slider.value = +slider.value + 1;
      showMoment();
      if (slider.value === slider.max) play();
    }, 250);
  }
  at("play").textContent = playing ? "stop" : "play";
}

if (data.layers) {
  addLayerRows();
  at("moment").max = data.layers.snapshots.length - 1;
  at("moment").value = at("moment").max;
  at("moment").addEventListener("input", showMoment);
  at("play").addEventListener("click", play);
  showMoment();
} else {
  at("time").hidden = true;
}

// ---- confusion matrix

function image(number) {
  const m = data.confusion.images, plane = m.width * m.height;
  const canvas = element("canvas", { width: m.width, height: m.height });
  const pen = canvas.getContext("2d"), pixels = pen.createImageData(m.width, m.height);
  const start = number * plane * m.channels;
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < 4; c++)
      pixels.data[4 * i + c] = c === 3 ? 255 :
        imageBytes[start + (m.channels === 3 ? c : 0) * plane + i];
  pen.putImageData(pixels, 0, 0);
  const zoom = Math.max(1, Math.round(72 / m.height));
  canvas.style.width = m.width * zoom + "px";
  canvas.style.height = m.height * zoom + "px";
  return canvas;
}

function showCell(row, column, cell) {
  const c = data.confusion, n = c.counts[row][column];
  for (const old of document.querySelectorAll("#matrix .chosen"))
    old.classList.remove("chosen");
  cell.classList.add("chosen");
  const places = c.images && c.images.cells[`${row},${column}`] || [];
  at("cell-name").textContent = `${c.classes[row]} seen as ${c.classes[column]}: ` +
    `${n} of ${c.counts[row].reduce((a, b) => a + b, 0)}` +
    (places.length && places.length < n ? `, the first ${places.length}` : "") +
    (n && !places.length ? ", without images" : "");
  at("cell").replaceChildren(...places.map(image));
}

let imageBytes;
function addMatrix() {
  const c = data.confusion;
  imageBytes = c.images ? bytesOf(c.images.data) : [];
  const right = c.counts.reduce((sum, row, i) => sum + row[i], 0);
  at("confusion-hint").textContent = `${c.samples} ${c.of} samples, ` +
    `${c.samples - right} wrong. A row is a right class, a column what was ` +
    "seen. Click a cell for the images behind it.";
  const table = element("table"), head = element("tr", {}, element("th"));
  for (const name of c.classes) head.append(element("th", {}, name));
  table.append(head);
  let worst = null;
  c.counts.forEach((row, i) => {
    const line = element("tr", {}, element("th", {}, c.classes[i]));
    const all = row.reduce((a, b) => a + b, 0);
    row.forEach((n, k) => {
      const cell = element("td", {}, n ? n + "" : "");
      const share = all ? n / all : 0;
      cell.style.background = !n ? "#f1f3f5" :
        i === k ? `rgba(31,95,191,${0.15 + 0.6 * share})` :
                  `rgba(217,72,15,${0.2 + 0.8 * Math.min(1, 4 * share)})`;
      cell.addEventListener("click", () => showCell(i, k, cell));
      if (i !== k && (!worst || n > worst.n)) worst = { n, i, k, cell };
      line.append(cell);
    });
    table.append(line);
  });
  at("matrix").append(table);
  if (worst && worst.n) showCell(worst.i, worst.k, worst.cell);
}
if (data.confusion) addMatrix(); else at("confusion").hidden = true;

// ---- the network

function addMap() {
  const rows = data.network, high = 26, map = at("map");
  const most = Math.max(...rows.map(r => r.parameters), 1);
  const all = [{ name: "input", word: "", shape: "", inputs: [], parameters: 0,
                 multiply_adds: 0, text: "" }, ...rows];
  const svg = drawn("svg", { height: all.length * high,
                             viewBox: `0 0 90 ${all.length * high}` });
  const y = i => i * high + high / 2;
  all.forEach((r, i) => {
    for (const from of new Set(r.inputs)) {
      const bow = i - from === 1 ? 0 : Math.min(70, 16 + 5 * (i - from));
      svg.append(drawn("path", { fill: "none", stroke: "#8a94a6",
        "stroke-width": 1.5,
        d: `M 78 ${y(from)} C ${78 - bow} ${y(from) + high / 2}, ` +
           `${78 - bow} ${y(i) - high / 2}, 78 ${y(i)}` }));
    }
    svg.append(drawn("circle", { cx: 78, cy: y(i), r: 4, fill: "#1f5fbf" }));
    const bar = element("div", { className: "bar" });
    bar.style.width = 100 * r.parameters / most + "%";
    map.append(element("div", { className: "row", title: r.text },
      element("span"), element("span", {}, r.name),
      element("span", { className: "word" }, r.word),
      element("span", {}, r.shape),
      element("span", { className: "number" },
              r.parameters ? r.parameters.toLocaleString("en") : ""),
      element("div", {}, bar)));
  });
  map.prepend(svg);
}
if (data.network.length) addMap(); else at("network").hidden = true;

document.documentElement.dataset.ready = "yes";
