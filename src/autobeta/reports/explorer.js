// The page: sliders, images from the data, paths between them, undo, a link that holds the state.
// Whatever has a name is shown as text, never as HTML.
"use strict";

const SPAN = 2; // standard deviations to both sides that an animation of a latent covers
const FRAMES = 24; // of an animation, one way
const DELAY = 80; // milliseconds a frame
const SIDE = 256; // pixels that saved pictures are enlarged to, about
const GAP = 8; // pixels between saved pictures
const SAME = 800; // milliseconds within which moves of one slider are one step of undo

const data = JSON.parse(document.getElementById("data").textContent);
const runs = data.runs.map((run) => ({
  ...run,
  decode: makeDecoder(run),
  z: new Array(run.latents.length).fill(0),
  chosen: run.latents[0].latent, // the latent that moved last
  sliders: new Map(),
}));
const strips = data.strips.map((images, place) => ({
  images,
  runs: runs.filter((run) => run.strip === place),
  start: null,
  end: null,
  part: 0, // of the way from start to end; null where a code has left the path
}));
const past = []; // states as texts
let now = -1; // place of the present one
let last = { source: null, time: 0 };
let frameTime = 0; // milliseconds that the last decoding and drawing took

/** An element with properties, attributes and children; strings become text. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name in element) element[name] = value;
    else element.setAttribute(name, value);
  }
  element.append(...children);
  return element;
}

// ---- state

const rounded = (number) => String(Number(number.toFixed(3)));

/** All that can change, as the text behind # in the address. */
function written() {
  const codes = runs.map((run, i) => `z${i}=${run.z.map(rounded).join(",")}&c${i}=${run.chosen}`);
  const paths = strips.map(({ start, end, part }, i) => `p${i}=${[start ?? "", end ?? "", part === null ? "" : rounded(part)]}`);
  return [...codes, ...paths].join("&");
}

/** Take a state over from a text; what is not valid in it is left as it is. */
function restore(text) {
  const found = new URLSearchParams(text);
  runs.forEach((run, i) => {
    const z = (found.get(`z${i}`) ?? "").split(",").map((part) => (part ? Number(part) : NaN));
    if (z.length === run.z.length && z.every(Number.isFinite)) run.z = z;
    const chosen = Number(found.get(`c${i}`) ?? NaN);
    if (run.sliders.has(chosen)) run.chosen = chosen;
  });
  strips.forEach((strip, i) => {
    const parts = (found.get(`p${i}`) ?? "").split(",");
    if (parts.length !== 3) return;
    const place = (value) => (/^\d+$/.test(value) && value < strip.images.length ? Number(value) : null);
    [strip.start, strip.end] = [place(parts[0]), place(parts[1])];
    strip.part = parts[2] ? Math.min(1, Math.max(0, Number(parts[2]) || 0)) : null;
  });
  show();
}

/** Keep the present state for undo and in the address. */
function commit(source = null) {
  const text = written();
  if (text === past[now]) return;
  const again = source !== null && source === last.source && performance.now() - last.time < SAME;
  past.length = again ? now : now + 1;
  now = past.push(text) - 1;
  last = { source, time: performance.now() };
  keep();
}

function keep() {
  try {
    history.replaceState(null, "", `#${past[now]}`);
  } catch {
    // pages that are embedded elsewhere may have no address of their own
  }
  undoButton.disabled = now === 0;
  redoButton.disabled = now === past.length - 1;
}

function step(by) {
  if (past[now + by] === undefined) return;
  now += by;
  last.source = null;
  restore(past[now]);
  keep();
}

// ---- what one can do

/** Give runs other codes than those of their path. */
function leave(found) {
  for (const run of found) strips[run.strip].part = null;
}

function random() {
  const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());
  for (const run of runs) run.z = run.z.map(normal);
  leave(runs);
  show();
  commit();
}

function mean() {
  for (const run of runs) run.z = run.z.map(() => 0);
  leave(runs);
  show();
  commit();
}

function choose(strip, place) {
  const end = strip.toEnd.checked;
  strip[end ? "end" : "start"] = place;
  strip.part = end ? 1 : 0;
  for (const run of strip.runs) run.z = [...run.codes[place]];
  show();
  commit();
}

const hasPath = (strip) => strip.start !== null && strip.end !== null;
const isOnPath = (strip) => hasPath(strip) && strip.part !== null;

function between(run, { start, end }, part) {
  return run.codes[start].map((from, i) => from + part * (run.codes[end][i] - from));
}

async function copyLink() {
  try {
    await navigator.clipboard.writeText(location.href);
    say("The link is copied. It holds all that you see.");
  } catch {
    say("Copy the address of this page: it holds all that you see.");
  }
}

function savePng() {
  side().toBlob((blob) => save(blob, "png"));
}

function saveGif() {
  say("The animation is being made …");
  setTimeout(() => {
    const { width, height } = side();
    const frames = Array.from({ length: FRAMES }, (_, i) => {
      for (const run of runs) draw(run, animated(run, i / (FRAMES - 1)));
      return side().getContext("2d").getImageData(0, 0, width, height).data;
    });
    for (const run of runs) draw(run, run.z);
    const back = frames.slice(1, -1).reverse();
    const bytes = encodeGif([...frames, ...back], width, height, DELAY);
    save(new Blob([bytes], { type: "image/gif" }), "gif");
  }, 20);
}

/** Code of a run at a part of an animation: along the path, or along the latent that moved last. */
function animated(run, part) {
  const strip = strips[run.strip];
  if (isOnPath(strip)) return between(run, strip, part);
  return run.z.map((value, latent) => (latent === run.chosen ? SPAN * (2 * part - 1) : value));
}

/** The pictures of all runs side by side on a canvas, enlarged by whole factors. */
function side() {
  const scales = runs.map(({ canvas }) => Math.max(1, Math.round(SIDE / Math.max(canvas.width, canvas.height))));
  const width = runs.reduce((sum, { canvas }, i) => sum + canvas.width * scales[i] + GAP, -GAP);
  const height = Math.max(...runs.map(({ canvas }, i) => canvas.height * scales[i]));
  const all = make("canvas", { width, height });
  const context = all.getContext("2d", { willReadFrequently: true });
  context.fillStyle = "white";
  context.fillRect(0, 0, width, height);
  context.imageSmoothingEnabled = false;
  let x = 0;
  runs.forEach(({ canvas }, i) => {
    context.drawImage(canvas, x, 0, canvas.width * scales[i], canvas.height * scales[i]);
    x += canvas.width * scales[i] + GAP;
  });
  return all;
}

function save(blob, ending) {
  const name = runs.length === 1 ? runs[0].name.replace(/[^\p{L}\p{N}_-]+/gu, "-").slice(0, 80) : "runs";
  const link = make("a", { href: URL.createObjectURL(blob), download: `${name}.${ending}` });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 10000);
  say(`${link.download} is saved.`);
}

// ---- drawing

const waiting = new Set(); // runs to be drawn in the next frame

function drawSoon(run) {
  if (waiting.size === 0) {
    requestAnimationFrame(() => {
      for (const one of waiting) draw(one, one.z);
      waiting.clear();
    });
  }
  waiting.add(run);
}

function draw(run, z) {
  const started = performance.now();
  const values = run.decode(z);
  const { pixels, canvas } = run;
  const grey = run.shape[2] === 1;
  for (let p = 0, q = 0; q < pixels.data.length; q += 4) {
    pixels.data[q] = 255 * values[p];
    pixels.data[q + 1] = 255 * values[grey ? p : p + 1];
    pixels.data[q + 2] = 255 * values[grey ? p : p + 2];
    pixels.data[q + 3] = 255;
    p += grey ? 1 : 3;
  }
  canvas.getContext("2d").putImageData(pixels, 0, 0);
  frameTime = performance.now() - started;
}

/** Bring everything on the page to the present state. */
function show() {
  for (const run of runs) {
    for (const [latent, slider] of run.sliders) showValue(run, latent, slider);
    drawSoon(run);
  }
  for (const strip of strips) {
    strip.buttons.forEach((button, place) => {
      button.classList.toggle("start", place === strip.start);
      button.classList.toggle("end", place === strip.end);
      button.setAttribute("aria-pressed", place === strip.start || place === strip.end);
    });
    for (const name of ["start", "end"]) {
      strip.shown[name].src = strip.images[strip[name]] ?? EMPTY;
    }
    showPart(strip);
  }
}

function showPart(strip) {
  strip.slider.disabled = !hasPath(strip);
  strip.slider.value = 100 * strip.part;
  strip.output.textContent = isOnPath(strip) ? `${Math.round(100 * strip.part)} %` : "";
}

const EMPTY = "data:image/gif;base64,R0lGODlhAQABAAAAACH5BAEKAAEALAAAAAABAAEAAAICTAEAOw==";

function showValue(run, latent, { input, output }) {
  input.value = run.z[latent];
  output.textContent = run.z[latent].toFixed(2).replace("-", "\u2212");
}

function say(text) {
  status.textContent = text;
}

// ---- the page's parts

function button(text, action, key) {
  return make("button", { type: "button", onclick: action, title: `Key: ${key}` }, text);
}

function latentRow(run, place, { latent, kl, reach, tells }) {
  const id = `r${place}z${latent}`;
  const input = make("input", { type: "range", id, min: -reach, max: reach, step: 0.01 });
  const output = make("output", { htmlFor: id });
  const said = tells.map(([name, share]) => `${name} ${Math.round(100 * share)} %`).join(", ");
  const facts = make("small", { id: `${id}f` }, make("span", {}, said), make("span", {}, `${kl.toFixed(2)} nats`));
  input.setAttribute("aria-describedby", facts.id);
  const slider = { input, output };
  input.addEventListener("input", () => {
    run.z[latent] = Number(input.value);
    run.chosen = latent;
    leave([run]);
    showPart(strips[run.strip]);
    showValue(run, latent, slider);
    drawSoon(run);
  });
  input.addEventListener("change", () => commit(id));
  run.sliders.set(latent, slider);
  return make("div", { className: "latent" }, make("label", { htmlFor: id }, `z${latent}`), input, output, facts);
}

function runPart(run, place) {
  const [height, width] = run.shape;
  run.canvas = make("canvas", { width, height, role: "img", "aria-label": `Image decoded by ${run.name}` });
  run.pixels = run.canvas.getContext("2d").createImageData(width, height);
  const rows = (active) => run.latents.filter((l) => l.active === active).map((l) => latentRow(run, place, l));
  const [live, dead] = [rows(true), rows(false)];
  const tells = run.latents.some((latent) => latent.tells.length);
  const hint = tells
    ? "Below each slider: the share of each factor\u2019s entropy that its latent tells, and its mean KL."
    : "Below each slider: the mean KL of its latent.";
  const sliders = make("div", { className: "latents" }, make("p", { className: "about" }, hint), ...live);
  if (dead.length) {
    const title = `${dead.length} dead latent${dead.length > 1 ? "s" : ""}`;
    sliders.append(make("details", { open: !live.length }, make("summary", {}, title), ...dead));
  }
  const about = make("p", { className: "about" }, run.about);
  const picture = make("div", { className: "picture" }, run.canvas);
  const head = runs.length > 1 ? [make("h2", {}, run.name), about] : [about];
  return make("section", { className: "run", "aria-label": run.name }, ...head, picture, sliders);
}

function stripPart(strip, place) {
  strip.buttons = strip.images.map((src, i) => {
    const image = make("img", { src, alt: "" });
    const found = make("button", { type: "button", tabIndex: i ? -1 : 0, "aria-label": `Image ${i + 1}` }, image);
    found.addEventListener("click", () => choose(strip, i));
    return found;
  });
  const images = make("div", { className: "images", role: "group", "aria-label": "Images from the data" });
  images.append(...strip.buttons);
  images.addEventListener("keydown", (event) => walk(event, strip.buttons));
  strip.shown = {};
  const ends = ["start", "end"].map((name) => {
    strip.shown[name] = make("img", { alt: "" });
    const radio = make("input", { type: "radio", name: `target${place}`, checked: name === "start" });
    if (name === "end") strip.toEnd = radio;
    return make("label", { className: name }, radio, strip.shown[name], name);
  });
  strip.slider = make("input", { type: "range", id: `path${place}`, min: 0, max: 100, step: 1 });
  strip.output = make("output", { htmlFor: strip.slider.id });
  strip.slider.addEventListener("input", () => {
    strip.part = strip.slider.value / 100;
    for (const run of strip.runs) run.z = between(run, strip, strip.part);
    show();
  });
  strip.slider.addEventListener("change", () => commit(strip.slider.id));
  const label = make("label", { htmlFor: strip.slider.id }, "Path");
  const middle = make("div", { className: "middle" }, label, strip.slider, strip.output);
  const path = make("div", { className: "path" }, ends[0], middle, ends[1]);
  path.setAttribute("role", "group");
  path.setAttribute("aria-label", "A click on an image sets start or end of a path");
  const whose = strips.length > 1 ? ` of ${strip.runs.map((run) => run.name).join(", ")}` : "";
  const hint = `Images from the data${whose}: a click sets the start or the end of a path.`;
  return make("section", { className: "strip" }, make("p", {}, hint), images, path);
}

/** Arrow keys go from image to image, of which only one is on the way of the tabulator. */
function walk(event, buttons) {
  const by = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (!by) return;
  const from = buttons.indexOf(document.activeElement);
  const to = buttons[(from + by + buttons.length) % buttons.length];
  buttons[from].tabIndex = -1;
  to.tabIndex = 0;
  to.focus();
  event.preventDefault();
}

const hasAddress = location.protocol !== "about:"; // not where a page of reports holds this one

const KEYS = [
  ["r", "random draw of the prior", random],
  ["m", "the prior's mean", mean],
  ["u", "undo; also Ctrl+Z", () => step(-1)],
  ["y", "redo; also Ctrl+Y", () => step(1)],
  ...(hasAddress ? [["l", "copy a link", copyLink]] : []),
  ["p", "save as PNG", savePng],
  ["g", "save as GIF: along the path, or off it along the latent that moved last", saveGif],
];

document.addEventListener("keydown", (event) => {
  const key = event.key.toLowerCase();
  const control = event.ctrlKey || event.metaKey;
  if (event.altKey) return;
  let name = key;
  if (control) name = key === "z" ? (event.shiftKey ? "y" : "u") : key === "y" ? "y" : null;
  const found = KEYS.find(([letter]) => letter === name);
  if (!found) return;
  found[2]();
  event.preventDefault();
});

window.addEventListener("hashchange", () => {
  restore(location.hash.slice(1));
  commit();
  keep(); // what was not valid in it, too
});

const undoButton = button("Undo", () => step(-1), "u");
const redoButton = button("Redo", () => step(1), "y");
const status = make("p", { className: "status", role: "status" });
const bar = make("div", { className: "bar", role: "toolbar", "aria-label": "Actions" });
bar.append(button("Random draw", random, "r"), button("Prior's mean", mean, "m"), undoButton, redoButton);
if (hasAddress) bar.append(button("Copy link", copyLink, "l"));
bar.append(button("Save PNG", savePng, "p"), button("Save GIF", saveGif, "g"));
const keys = make("details", { className: "keys" }, make("summary", {}, "Keys"));
for (const [letter, what] of KEYS) keys.append(make("div", {}, make("kbd", {}, letter), what));
keys.append(make("div", {}, make("kbd", {}, "← →"), "move the slider that has the focus, or go from image to image"));

const panels = make("div", { className: runs.length > 1 ? "runs many" : "runs" }, ...runs.map(runPart));
document.getElementById("explorer").append(bar, status, ...strips.map(stripPart), panels, keys);
for (const run of runs) run.z = [...(run.codes[0] ?? run.z)];
for (const strip of strips) strip.start = strip.images.length ? 0 : null;
restore(location.hash.slice(1));
commit();
