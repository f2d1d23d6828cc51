"use strict";
// The page about a training: reads the data above it and draws. No library.

const data = JSON.parse(document.getElementById("data").textContent);
const at = id => document.getElementById(id);

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const key in attributes)
    if (key in made) made[key] = attributes[key];
    else made.setAttribute(key, attributes[key]);
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

// A colour of the style sheet, which depends on light or dark.
function colour(name) {
  return getComputedStyle(document.documentElement).getPropertyValue(name);
}

const known = v => v !== null && v !== undefined;
const sum = list => list.reduce((a, b) => a + b, 0);

function short(v) {
  if (!known(v)) return "not finite";
  const size = Math.abs(v);
  const isPlain = size === 0 || (size >= 1e-4 && size < 1e6);
  return isPlain ? +v.toPrecision(4) + ""
                 : v.toExponential(1).replace(".0", "");
}

// ---- words and findings -----------------------------------------------------

function showWords() {
  at("summary").textContent = data.summary;
  for (const [name, value] of data.facts)
    at("facts").append(element("div", {}, element("dt", {}, name),
                               element("dd", {}, value)));
}

function showFindings() {
  if (!data.findings) { at("findings").hidden = true; return; }
  const list = at("finding-list");
  if (!data.findings.length)
    list.append("Nothing that the rules of lunet.diagnose know of.");
  for (const f of data.findings) {
    const rows = element("dl", {});
    for (const part of ["numbers", "rule", "try"])
      rows.append(element("dt", {}, part), element("dd", {}, f[part]));
    list.append(element("div", { className: "finding" },
                        element("h3", {}, f.what), rows));
  }
}

// ---- curves -----------------------------------------------------------------

function linearTicks(low, high, most) {
  const rough = (high - low) / most || 1;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map(f => f * power).find(s => s >= rough * 0.999);
  const list = [];
  const last = Math.floor(high / step + 1e-9);
  for (let k = Math.ceil(low / step - 1e-9); k <= last; k++)
    list.push(k * step);
  return list;
}

// low and high are logarithms, as are the ticks.
function logTicks(low, high) {
  const list = [], wide = high - low > 3, step = Math.ceil((high - low) / 8);
  for (let e = Math.floor(low); e <= Math.ceil(high); e++)
    for (const m of wide ? [1] : [1, 2, 5]) {
      const v = e + Math.log10(m);
      if (v >= low && v <= high && (!wide || e % step === 0)) list.push(v);
    }
  return list;
}

// A chart in pixels; its width is that of its place.
const box = { width: 500, height: 270, left: 58, right: 12, top: 8,
              bottom: 36 };

// The axes of these numbers: x and y give places on the chart.
function axes(lines, options) {
  const log = options.log;
  const usable = v => known(v) && (!log || v > 0);
  const toY = v => log ? Math.log10(v) : v;
  const points = lines.flatMap(l => l.points).filter(p => usable(p[1]));
  if (!points.length) return null;
  const ys = points.map(p => toY(p[1]));
  const xs = lines.flatMap(l => l.points.map(p => p[0]));
  let low = Math.min(options.low ?? Infinity, ...ys);
  let high = Math.max(options.high ?? -Infinity, ...ys);
  if (low === high) { low -= 0.5; high += 0.5; }
  const first = Math.min(...xs, options.first ?? 0);
  const last = Math.max(...xs, first + 1);
  const wide = box.width - box.left - box.right;
  const tall = box.height - box.top - box.bottom;
  const clamp = v => Math.max(low, Math.min(high, v));
  return { low, high, first, last, usable,
    x: v => box.left + (v - first) / (last - first) * wide,
    y: v => box.height - box.bottom -
            (clamp(toY(v)) - low) / (high - low) * tall };
}

function drawAxes(svg, axis, options) {
  const ticks = options.log ? logTicks(axis.low, axis.high)
                            : linearTicks(axis.low, axis.high, 5);
  for (const v of ticks) {
    const value = options.log ? 10 ** v : v, y = axis.y(value);
    svg.append(drawn("line", { class: "grid", x1: box.left, y1: y, y2: y,
                               x2: box.width - box.right }));
    svg.append(drawn("text", { x: box.left - 6, y: y + 4,
                               "text-anchor": "end" },
                     short(value) + (options.unit || "")));
  }
  for (const v of linearTicks(axis.first, axis.last, box.width / 80))
    if (Number.isInteger(v))
      svg.append(drawn("text", { x: axis.x(v), y: box.height - box.bottom + 16,
                                 "text-anchor": "middle" }, v + ""));
  svg.append(drawn("text", { x: box.width - box.right, y: box.height - 4,
                             "text-anchor": "end" }, options.xName));
}

// The parts of a line between the numbers that are missing.
function pieces(points, usable) {
  const list = [[]];
  for (const p of points)
    if (usable(p[1])) list[list.length - 1].push(p);
    else if (list[list.length - 1].length) list.push([]);
  return list.filter(piece => piece.length);
}

function drawLine(svg, line, axis) {
  const place = p => `${axis.x(p[0]).toFixed(1)},${axis.y(p[1]).toFixed(1)}`;
  for (const piece of pieces(line.points, axis.usable)) {
    if (line.faint) {
      const up = piece.map(p => place([p[0], p[3]]));
      const least = p => axis.usable(p[2]) ? p[2] : p[1];
      const down = piece.map(p => place([p[0], least(p)])).reverse();
      svg.append(drawn("polygon", { points: [...up, ...down].join(" "),
        style: `fill: var(--c${line.colour})`, opacity: 0.18 }));
    }
    svg.append(drawn("polyline", { points: piece.map(place).join(" "),
      fill: "none", style: `stroke: var(--c${line.colour})`,
      "stroke-width": line.faint ? 1 : 2, opacity: line.faint ? 0.6 : 1 }));
    if (line.faint || (line.points.length > 40 && piece.length > 1)) continue;
    for (const p of piece) {
      const dot = drawn("circle", { cx: axis.x(p[0]), cy: axis.y(p[1]), r: 3.5,
                                    style: `fill: var(--c${line.colour})` });
      dot.append(drawn("title", {}, `${line.name}: ${short(p[1])}`));
      svg.append(dot);
    }
  }
}

// "training 0.059", or with how many numbers cannot be drawn.
function labelOf(line, options) {
  const last = line.points[line.points.length - 1][1];
  const lost = line.points.filter(p => !known(p[1])).length;
  const end = line.faint || options.noEnd ? "" :
    " " + short(last) + (known(last) ? options.unit || "" : "");
  return line.name + end + (lost ? ` (${lost} not finite)` : "");
}

// lines: { name, points: [x, y, least, largest], colour: 0 to 7, faint }
function chart(place, title, lines, options) {
  lines = lines.filter(l => l.points.length);
  place.hidden = !lines.length;
  if (!lines.length) return;
  const labels = lines.map(l => labelOf(l, options));
  const svg = drawn("svg", { viewBox: `0 0 ${box.width} ${box.height}`,
    role: "img", "aria-label": `${title}: at the end ${labels.join(", ")}` });
  const axis = axes(lines, options);
  if (axis) {
    drawAxes(svg, axis, options);
    for (const line of lines) drawLine(svg, line, axis);
  } else {
    svg.append(drawn("text", { x: box.left, y: 90 },
                     "there is no number that can be drawn"));
  }
  const legend = element("ul", { className: "legend" });
  lines.forEach((line, i) => {
    const key = element("i");
    key.style.background = `var(--c${line.colour})`;
    if (line.faint) key.style.opacity = 0.6;
    legend.append(element("li", {}, key, labels[i]));
  });
  place.replaceChildren(element("figcaption", {}, title), svg, legend);
}

function drawCurves() {
  const c = data.curves, bySteps = c.ends.length > 0 || c.steps.length > 0;
  box.width = Math.max(240, at("curves").querySelector(".charts").clientWidth);
  if (innerWidth > 760) box.width = (box.width - 24) / 2;
  const xName = bySteps ? "step" : "epoch";
  const line = (name, list, colour, scale = 1) => ({ name, colour,
    points: list.map((v, i) => [bySteps ? c.ends[i] : c.epochs[i],
                                known(v) ? v * scale : v]) });
  chart(at("loss"), "loss", [
    { name: "each step", points: c.steps, colour: 0, faint: true },
    line("training", c.loss, 0), line("validation", c.validation_loss, 1)],
    { log: at("log").checked, xName });
  chart(at("accuracy"), "accuracy", [
    line("training", c.accuracy, 0, 100),
    line("validation", c.validation, 1, 100)],
    { high: 100, unit: " %", xName });
  chart(at("ratios"), "length of a step: |change| / |weight|, usually 0.001",
    c.ratios.map((r, i) => ({ name: r.name, points: r.points, colour: i })),
    { log: true, xName: "step", first: 1, noEnd: true });
  const changes = c.rate.some(r => r !== c.rate[0]);
  chart(at("rate"), "rate of the optimizer",
        changes ? [line("lr", c.rate, 2)] : [], { low: 0, xName });
}

function showNumbers() {
  const c = data.curves, columns = [["epoch", c.epochs], ["loss", c.loss],
    ["accuracy", c.accuracy], ["validation loss", c.validation_loss],
    ["validation accuracy", c.validation], ["rate", c.rate]]
    .filter(([, list]) => list.length);
  const row = (name, texts) => element("tr", {},
    ...texts.map(text => element(name, {}, text)));
  at("numbers").append(row("th", columns.map(([name]) => name)),
    ...c.epochs.map((_, i) => row("td", columns.map(([, list]) =>
      short(list[i])))));
}

// ---- weights and gradients over time ----------------------------------------

const levels = 40;

// The range of a weight's numbers over all snapshots.
function rangeOf(spreads) {
  const list = spreads.filter(s => s && s.count);
  return list.length && [Math.min(...list.map(s => s.low)),
                         Math.max(...list.map(s => s.high))];
}

// Counts over its own range, as shares over the levels of a common range.
function shares(spread, [low, high]) {
  const out = new Array(levels).fill(0);
  if (!spread || !spread.count) return out;
  const all = sum(spread.count), level = (high - low) / levels || 1;
  const size = (spread.high - spread.low) / spread.count.length;
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
  const wide = 12, pen = canvas.getContext("2d");
  canvas.width = spreads.length * wide;
  canvas.height = levels;
  pen.fillStyle = colour("--c0");
  spreads.forEach((s, i) => {
    const list = shares(s, range), most = Math.max(...list, 1e-9);
    list.forEach((v, k) => {
      pen.globalAlpha = Math.sqrt(v / most);
      if (v > 0) pen.fillRect(i * wide, levels - 1 - k, wide, 1);
    });
  });
  pen.globalAlpha = 1;
  pen.fillStyle = colour("--c1");
  pen.fillRect(moment * wide + wide / 2 - 0.5, 0, 1, levels);
}

function bars(canvas, spread) {
  const pen = canvas.getContext("2d");
  canvas.width = 120;
  canvas.height = 54;
  if (!spread || !spread.count) return;
  const most = Math.max(...spread.count), wide = 120 / spread.count.length;
  pen.fillStyle = colour("--c0");
  spread.count.forEach((n, i) => {
    const tall = n ? Math.max(1, n / most * 54) : 0;
    pen.fillRect(i * wide, 54 - tall, wide - 0.5, tall);
  });
}

function rangeText(spread) {
  if (!spread) return "none yet";
  if (!spread.count) return "no finite number";
  const lost = spread.not_finite ? `, ${spread.not_finite} not finite` : "";
  return `${short(spread.min)} to ${short(spread.max)}${lost}`;
}

const layerRows = [];

// A long name may go on in the next line behind its dots.
const breakable = name => name.replace(/\./g, ".\u200b");

function addLayerRow(name, i) {
  const l = data.layers;
  const ratio = element("small");
  const line = element("div", { className: "layer" },
    element("div", {}, element("b", {}, breakable(name)), ratio));
  const row = { name, ratio, parts: [] };
  for (const [kind, word] of [["weights", "weights"], ["grads", "gradients"]]) {
    const spreads = l.snapshots.map(s => s[kind][i]);
    const part = { spreads, word, range: rangeOf(spreads),
                   band: element("canvas", { role: "img" }),
                   bars: element("canvas", { role: "img" }),
                   text: element("small") };
    const title = element("small", { className: "kind" }, word);
    line.append(element("div", {}, title, part.band),
                element("div", {}, part.bars, part.text));
    row.parts.push(part);
  }
  at("layers").append(line);
  layerRows.push(row);
}

function addLayerRows() {
  const head = ["", "weights over time", "at this moment",
                "gradients over time", "at this moment"];
  at("layers").append(element("div", { className: "layer head" },
    ...head.map(text => element("span", {}, text))));
  data.layers.names.forEach(addLayerRow);
}

function showLayers(moment) {
  for (const row of layerRows) {
    for (const p of row.parts) {
      const now = p.spreads[moment];
      if (p.range) band(p.band, p.spreads, p.range, moment);
      bars(p.bars, now);
      p.text.textContent = rangeText(now);
      p.band.setAttribute("aria-label", `${row.name}: ${p.word} over time`);
      p.bars.setAttribute("aria-label",
                          `${row.name}: ${p.word}, ${rangeText(now)}`);
    }
    const [w, g] = row.parts.map(p => p.spreads[moment]);
    row.ratio.textContent = w && g && w.norm && known(g.norm) ?
      `|gradient| / |weight| ${short(+(g.norm / w.norm).toPrecision(2))}` : "";
  }
}

// Blue is negative, white zero, red positive.
function signColour(byte) {
  const s = (byte - 128) / 127, fade = 1 - Math.abs(s);
  const full = s < 0 ? [33, 102, 190] : [200, 40, 40];
  return full.map(v => Math.round(255 * fade + v * Math.abs(s)));
}

function filterColour(f, bytes, k, i) {
  const plane = f.height * f.width, start = k * f.channels * plane + i;
  return f.channels === 3 ? [0, 1, 2].map(c => bytes[start + c * plane])
                          : signColour(bytes[start]);
}

function showFilters(moment) {
  const f = data.layers.filters, canvas = at("filters");
  if (!f) { canvas.hidden = at("filters-name").hidden = true; return; }
  const bytes = bytesOf(f.frames[moment]), gap = 8;
  const scale = Math.max(2, Math.min(16, Math.floor(56 / f.width)));
  const wide = f.width * scale + gap, tall = f.height * scale + gap;
  const room = Math.floor(canvas.parentNode.clientWidth / wide) - 1;
  const columns = Math.min(f.count, 16, Math.max(1, room));
  canvas.width = columns * wide;
  canvas.height = Math.ceil(f.count / columns) * tall;
  const pen = canvas.getContext("2d");
  for (let k = 0; k < f.count; k++) {
    const left = (k % columns) * wide, top = Math.floor(k / columns) * tall;
    pen.fillStyle = colour("--pale");
    pen.fillRect(left, top, wide - gap + 2, tall - gap + 2);
    for (let i = 0; i < f.height * f.width; i++) {
      pen.fillStyle = `rgb(${filterColour(f, bytes, k, i).join(",")})`;
      pen.fillRect(left + 1 + (i % f.width) * scale,
                   top + 1 + Math.floor(i / f.width) * scale, scale, scale);
    }
  }
  const some = f.count === f.all ? "" : `${f.count} of `;
  const meaning = f.channels === 3 ? "as colours, grey is 0" :
    `blue ${short(-f.scale)}, white 0, red ${short(f.scale)}` +
    (f.depth > 1 ? `, the first of ${f.depth} channels` : "");
  at("filters-name").textContent =
    `${f.name}: ${some}${f.all} filters ${f.height}×${f.width}, ${meaning}`;
  canvas.setAttribute("aria-label", at("filters-name").textContent + ", " +
                      momentText(moment));
}

function momentText(moment) {
  const s = data.layers.snapshots[moment];
  return s.step === 0 ? "before the first step"
                      : `step ${s.step}, epoch ${s.epoch}`;
}

function showMoment() {
  const moment = +at("moment").value;
  at("moment-name").textContent = momentText(moment);
  at("moment").setAttribute("aria-valuetext", momentText(moment));
  showFilters(moment);
  showLayers(moment);
}

let playing = null;

function stop() {
  clearInterval(playing);
  playing = null;
  at("play").textContent = "play";
}

function play() {
  const slider = at("moment");
  if (playing) { stop(); return; }
  if (slider.value === slider.max) slider.value = 0;
  at("play").textContent = "stop";
  showMoment();
  playing = setInterval(() => {
    slider.value = +slider.value + 1;
    showMoment();
    if (slider.value === slider.max) stop();
  }, 250);
}

function addTime() {
  if (!data.layers || !data.layers.names.length) {
    at("time").hidden = true;
    return;
  }
  addLayerRows();
  at("moment").max = data.layers.snapshots.length - 1;
  at("moment").value = at("moment").max;
  at("moment").addEventListener("input", showMoment);
  at("play").addEventListener("click", play);
  showMoment();
}

// ---- confusion matrix -------------------------------------------------------

let imageBytes;

function image(place, label) {
  const m = data.confusion.images, plane = m.width * m.height;
  const canvas = element("canvas", { width: m.width, height: m.height,
                                     role: "img", "aria-label": label });
  const pen = canvas.getContext("2d");
  const pixels = pen.createImageData(m.width, m.height);
  const start = place * plane * m.channels;
  for (let i = 0; i < plane; i++)
    for (let c = 0; c < 4; c++)
      pixels.data[4 * i + c] = c === 3 ? 255 :
        imageBytes[start + (m.channels === 3 ? c : 0) * plane + i];
  pen.putImageData(pixels, 0, 0);
  const zoom = Math.max(1, Math.round(72 / m.height));
  canvas.style.width = m.width * zoom + "px";
  return element("figure", {}, canvas,
                 element("figcaption", {}, `no. ${m.numbers[place]}`));
}

function showCell(row, column, button) {
  const c = data.confusion, n = c.counts[row][column];
  for (const old of document.querySelectorAll("#matrix .chosen")) {
    old.classList.remove("chosen");
    old.tabIndex = -1;
  }
  button.classList.add("chosen");
  button.tabIndex = 0;
  const places = c.images && c.images.cells[`${row},${column}`] || [];
  const label = `${c.classes[row]} seen as ${c.classes[column]}`;
  const some = places.length && places.length < n ?
    `, the first ${places.length}` : n && !places.length ? ", no images" : "";
  at("cell-name").textContent =
    `${label}: ${n} of ${sum(c.counts[row])}${some}`;
  at("cell").replaceChildren(...places.map(p => image(p, label)));
}

const moves = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0],
                ArrowDown: [1, 0] };

function matrixCell(c, row, column, buttons) {
  const n = c.counts[row][column], all = sum(c.counts[row]);
  const button = element("button", { type: "button", tabIndex: -1,
    "aria-label": `${c.classes[row]} seen as ${c.classes[column]}: ${n}` },
    n ? n + "" : "");
  const part = row === column ? 0.15 + 0.4 * n / all
                              : 0.2 + 0.35 * Math.min(1, 4 * n / all);
  const name = row === column ? "--c0" : "--c1";
  if (n) button.style.background =
    `color-mix(in srgb, var(${name}) ${Math.round(100 * part)}%, var(--paper))`;
  button.addEventListener("click", () => showCell(row, column, button));
  button.addEventListener("keydown", event => {
    const move = moves[event.key];
    const next = move && buttons[row + move[0]]?.[column + move[1]];
    if (!next) return;
    event.preventDefault();
    next.focus();
    next.click();
  });
  return button;
}

// The cell with the most wrong ones; the first one where all is right.
function worstCell(counts) {
  let worst = [0, 0], most = 0;
  counts.forEach((row, i) => row.forEach((n, k) => {
    if (i !== k && n > most) { worst = [i, k]; most = n; }
  }));
  return worst;
}

function addMatrix() {
  const c = data.confusion;
  if (!c) { at("confusion").hidden = true; return; }
  if (c.problem) {
    at("confusion-hint").textContent = "There is none, as the net does not " +
      `read the samples of the dataset as they are: ${c.problem}`;
    return;
  }
  imageBytes = c.images ? bytesOf(c.images.data) : [];
  const right = sum(c.counts.map((row, i) => row[i]));
  at("confusion-hint").textContent = `${c.samples} ${c.of} samples, ` +
    `${c.samples - right} seen wrongly. A row is what a sample is, a column ` +
    "what it was seen as. Choose a cell, or walk with the arrow keys, to see " +
    "the images behind it.";
  at("matrix").append(element("tr", {}, element("td"),
    ...c.classes.map(name => element("th", { scope: "col" }, name))));
  if (c.classes.length > 20) at("matrix").classList.add("small");
  const buttons = c.classes.map(() => []);
  c.classes.forEach((name, i) => {
    const line = element("tr", {}, element("th", { scope: "row" }, name));
    c.classes.forEach((_, k) => {
      buttons[i][k] = matrixCell(c, i, k, buttons);
      line.append(element("td", {}, buttons[i][k]));
    });
    at("matrix").append(line);
  });
  const [i, k] = worstCell(c.counts);
  showCell(i, k, buttons[i][k]);
}

// ---- the network ------------------------------------------------------------

const high = 26;

// The ways between the rows; `all` begins with the input.
function drawWays(all) {
  const svg = drawn("svg", { viewBox: `0 0 90 ${all.length * high}`,
    height: all.length * high, "aria-hidden": "true",
    preserveAspectRatio: "xMaxYMid slice" });
  const y = i => i * high + high / 2, x = 78;
  all.forEach((row, i) => {
    for (const from of new Set(row.inputs)) {
      const bow = i - from === 1 ? 0 : Math.min(60, 16 + 5 * (i - from));
      const bend = x - bow;
      svg.append(drawn("path", { d: `M ${x} ${y(from)} C ${bend} ` +
        `${y(from) + high / 2}, ${bend} ${y(i) - high / 2}, ${x} ${y(i)}` }));
    }
    svg.append(drawn("circle", { cx: x, cy: y(i), r: 4 }));
  });
  return svg;
}

function layerText(row, all) {
  if (!row.word) return "the input of the net";
  const from = row.inputs.map(i => all[i].name).join(", ");
  const count = n => n.toLocaleString("en");
  return `${row.text}: reads ${from}; gives ${row.shape}, ` +
    `${count(row.parameters)} parameters, ${count(row.multiply_adds)} ` +
    "multiply-adds for one item";
}

function addMap() {
  if (!data.network.length) { at("network").hidden = true; return; }
  const most = Math.max(...data.network.map(r => r.parameters), 1);
  const all = [{ name: "input", word: "", shape: data.input, inputs: [],
                 parameters: 0 }, ...data.network];
  const map = at("map");
  map.append(drawWays(all));
  for (const row of all) {
    const bar = element("span", { className: "bar" });
    bar.style.width = 100 * row.parameters / most + "%";
    const name = element("span", {}, row.name);
    if (row.word && row.word !== row.name)
      name.append(" ", element("span", { className: "word" }, row.word));
    const button = element("button", { type: "button" }, name,
      element("span", {}, row.shape),
      element("span", { className: "number" },
              row.parameters ? row.parameters.toLocaleString("en") : ""), bar);
    button.addEventListener("click", () => {
      map.querySelector(".chosen")?.classList.remove("chosen");
      button.classList.add("chosen");
      at("layer-text").textContent = layerText(row, all);
    });
    map.append(button);
  }
}

// ---- all --------------------------------------------------------------------

showWords();
showFindings();
drawCurves();
showNumbers();
addTime();
addMatrix();
addMap();
at("log").addEventListener("change", drawCurves);
addEventListener("resize", drawCurves);
if (data.layers && data.layers.names.length) {
  addEventListener("resize", () => showFilters(+at("moment").value));
  matchMedia("(prefers-color-scheme: dark)")
    .addEventListener("change", showMoment);
}
document.documentElement.dataset.ready = "yes";
