"use strict";
// What a report's page does when it is clicked on; it can be read without any of this.
// Elements are made here, and texts set as text, so no name from a file becomes code.

const all = (selector, root = document) => [...root.querySelectorAll(selector)];

function make(tag, facts = {}, ...inner) {
  const made = Object.assign(document.createElement(tag), facts);
  made.append(...inner);
  return made;
}

function kept(store, key, value) {
  try {
    if (value !== undefined) store.setItem(key, value);
    return store.getItem(key);
  } catch {
    return null; // a browser may forbid it
  }
}

// ---- light and dark

const root = document.documentElement;
const prefersDark = matchMedia("(prefers-color-scheme: dark)");
const themeButton = make("button", {
  type: "button",
  className: "theme",
  onclick: () => theme(root.dataset.theme === "dark" ? "light" : "dark", true),
});

function theme(name, asked) {
  root.dataset.theme = name;
  themeButton.textContent = name === "dark" ? "Light mode" : "Dark mode";
  if (asked) kept(localStorage, "autobeta-theme", name);
  all("iframe").forEach(themeFrame);
}

function themeFrame(frame) {
  const inner = frame.contentDocument?.documentElement;
  if (inner) inner.dataset.theme = root.dataset.theme;
}

for (const frame of all("iframe")) frame.addEventListener("load", () => themeFrame(frame));

document.querySelector("header").append(themeButton);
theme(kept(localStorage, "autobeta-theme") ?? (prefersDark.matches ? "dark" : "light"));
prefersDark.addEventListener("change", () => {
  if (!kept(localStorage, "autobeta-theme")) theme(prefersDark.matches ? "dark" : "light");
});

// ---- tables: a click sorts, best first; another turns them round, a third restores the order

// what is put in order: rows by their columns, or of a turned table its columns by their rows
function parts(table) {
  const [head, body] = [table.tHead.rows[0], [...table.tBodies[0].rows]];
  if (!table.classList.contains("turned")) {
    const move = (row) => () => table.tBodies[0].append(row);
    const items = body.map((row, place) => ({ place, cells: [...row.cells], move: move(row) }));
    return { headings: [...head.cells], items };
  }
  const items = [...head.cells].slice(1).map((heading, index) => {
    const cells = body.map((row) => row.cells[index + 1]);
    const move = () => [heading, ...cells].forEach((cell) => cell.parentNode.append(cell));
    return { place: index, cells, move };
  });
  return { headings: body.map((row) => row.cells[0]), items };
}

function sort(table, key, direction) {
  const { headings, items } = table.parts;
  headings.forEach((heading) => heading.removeAttribute("aria-sort"));
  if (direction) headings[key].setAttribute("aria-sort", direction);
  const number = (item) => parseFloat(item.cells[key].dataset.value ?? "");
  const text = (item) => item.cells[key].textContent;
  const sign = direction === "ascending" ? 1 : -1;
  const compare = (a, b) => {
    if (!direction) return a.place - b.place;
    const [x, y] = [number(a), number(b)];
    if (!isNaN(x) && !isNaN(y)) return x === y ? 0 : sign * (x < y ? -1 : 1);
    if (isNaN(x) && isNaN(y) && text(a) && text(b))
      return sign * text(a).localeCompare(text(b), "en", { numeric: true });
    return isNaN(x) - isNaN(y) || !text(a) - !text(b); // what has no number is last
  };
  [...items].sort(compare).forEach((item) => item.move());
  table.sorted = { key, direction };
  table.choice.selectedIndex = direction ? key : -1;
}

function directions(table, key) {
  const { headings, items } = table.parts;
  const isText = !items.some((item) => item.cells[key].dataset.value);
  const low = isText || headings[key].textContent.includes("↓");
  return low ? ["ascending", "descending", ""] : ["descending", "ascending", ""];
}

function next(table, key) {
  const order = directions(table, key);
  const { key: former, direction } = table.sorted ?? {};
  sort(table, key, former === key ? order[(order.indexOf(direction) + 1) % 3] : order[0]);
}

const tables = all("table.sortable");
for (const table of tables) {
  table.parts = parts(table);
  const choice = make("select", { onchange: () => next(table, choice.selectedIndex) });
  const turn = make("button", {
    type: "button",
    onclick: () => table.sorted?.direction && next(table, table.sorted.key),
  });
  turn.append("Turn round");
  table.choice = choice;
  table.parts.headings.forEach((heading, key) => {
    choice.append(make("option", {}, heading.textContent));
    const button = make("button", { type: "button" }, ...heading.childNodes);
    button.addEventListener("click", () => next(table, key));
    heading.append(button);
  });
  choice.selectedIndex = -1;
  const label = make("label", {}, "Sort by ", choice);
  table.before(make("div", { className: "sort" }, label, " ", turn)); // where headings are hidden
}

// ---- figures: enlarged, and saved as the files that they are

const large = make("div");
const said = make("p");
const saveLarge = make("a", { className: "save" });
const dialog = make(
  "dialog",
  {},
  make("div", { className: "bar" }, saveLarge,
    make("button", { type: "button", autofocus: true, onclick: () => dialog.close() }, "Close")),
  large,
  said,
);
dialog.addEventListener("click", (event) => {
  if (event.target === dialog) dialog.close(); // beside what it shows
});
dialog.addEventListener("close", () => large.replaceChildren());
dialog.setAttribute("aria-label", "Enlarged figure");
document.body.append(dialog);

function savedAs(link, figure) {
  const uri = figure.querySelector("img").src;
  const ending = /^data:image\/(\w+)/.exec(uri)?.[1] ?? "img";
  link.textContent = `Save (${ending === "svg" ? "SVG" : "WebP"})`;
  link.download = `${figure.dataset.name}.${ending}`;
  link.href = uri;
}

function enlarge(figure) {
  large.replaceChildren(figure.querySelector("img").cloneNode());
  dialog.className = figure.classList.contains("drawn") ? "drawn" : "";
  said.textContent = figure.querySelector("figcaption b").textContent;
  savedAs(saveLarge, figure);
  dialog.showModal();
}

for (const figure of all("figure")) {
  const image = figure.querySelector("img");
  const button = make("button", {
    type: "button",
    className: "enlarge",
    title: "Enlarge",
    onclick: () => enlarge(figure),
  });
  image.replaceWith(button);
  button.append(image);
  const link = make("a", { className: "save", href: "#" });
  link.addEventListener("click", () => savedAs(link, figure)); // so that it isn't held twice
  savedAs(link, figure);
  figure.querySelector("figcaption").append(" ", link);
  if (figure.dataset.strip) sliders(figure, image, JSON.parse(figure.dataset.strip));
}

// ---- a slider on each strip of a traversal: its image, large

function sliders(figure, image, strip) {
  const canvas = make("canvas", { width: strip.width, height: strip.height });
  const shown = make("output");
  const middle = Math.floor((strip.values.length - 1) / 2);
  const rows = strip.labels.map((label, row) => {
    const [latent, ...facts] = label.split(" ").filter(Boolean);
    const slider = make("input", { type: "range", min: 0, max: strip.values.length - 1 });
    const value = make("span", { className: "value" });
    slider.value = middle;
    slider.setAttribute("aria-label", label);
    const write = () => {
      const text = strip.values[slider.value].toFixed(2);
      value.textContent = text;
      slider.setAttribute("aria-valuetext", text);
    };
    const show = async () => {
      write();
      shown.textContent = `${latent} = ${value.textContent}`;
      canvas.setAttribute("aria-label", shown.textContent);
      await image.decode();
      const x = strip.left + slider.value * (strip.width + strip.gap);
      const y = row * (strip.height + strip.gap);
      canvas
        .getContext("2d")
        .drawImage(image, x, y, strip.width, strip.height, 0, 0, strip.width, strip.height);
    };
    slider.addEventListener("input", show);
    write();
    const name = make("span", { className: "name" }, latent);
    name.title = facts.join(" ");
    return [make("label", {}, name, slider, value), show];
  });
  canvas.setAttribute("role", "img");
  const picture = make("div", { className: "one" }, canvas, shown);
  const list = make("div", { className: "rows" }, ...rows.map(([label]) => label));
  figure.querySelector("figcaption").before(make("div", { className: "sliders" }, picture, list));
  rows[0][1]();
}

// ---- contents: open where there is room beside the page, and marked where one is

const contents = document.querySelector(".contents details");
const wide = matchMedia("(min-width: 64rem)");
const fold = () => (contents.open = wide.matches);
fold();
wide.addEventListener("change", fold);
const links = new Map(all(".contents a").map((link) => [link.hash.slice(1), link]));
const headings = all("main h2, main h3");
for (const link of links.values())
  link.addEventListener("click", () => setTimeout(fold)); // after the page has moved

function current() {
  const passed = headings.filter((heading) => heading.getBoundingClientRect().top < 80);
  for (const link of links.values()) link.removeAttribute("aria-current");
  links.get((passed.at(-1) ?? headings[0])?.id)?.setAttribute("aria-current", "true");
}

let waiting = false;
addEventListener("scroll", () => {
  if (!waiting) requestAnimationFrame(() => ((waiting = false), current()));
  waiting = true;
});
current();

// ---- print: what is folded is printed too, but for settings

let unfolded = [];
addEventListener("beforeprint", () => {
  unfolded = all("main details:not([open])").filter((part) => part.querySelector("table"));
  unfolded.forEach((part) => (part.open = true));
});
addEventListener("afterprint", () => unfolded.forEach((part) => (part.open = false)));

// ---- a page that is written again and again loads itself, and stays where it was

const place = `autobeta-place ${location.pathname}`;

function remember() {
  const near = headings.filter((heading) => heading.getBoundingClientRect().top < 80).at(-1);
  const state = {
    near: near?.id,
    top: near ? near.getBoundingClientRect().top : -scrollY,
    folded: all("main details").map((part) => part.open),
    sorted: tables.map((table) => table.sorted),
    moved: all(".sliders input").map((slider) => slider.value),
  };
  kept(sessionStorage, place, JSON.stringify(state));
}

function recall(state) {
  const same = (list, found) => (list.length === found.length ? list : []);
  const parts = all("main details");
  same(state.folded, parts).forEach((open, index) => (parts[index].open = open));
  same(state.sorted, tables).forEach((sorted, index) => {
    if (sorted?.key < tables[index].parts.headings.length)
      sort(tables[index], sorted.key, sorted.direction);
  });
  const inputs = all(".sliders input");
  same(state.moved, inputs).forEach((value, index) => {
    if (inputs[index].value === value) return;
    inputs[index].value = value;
    inputs[index].dispatchEvent(new Event("input"));
  });
  const near = state.near && document.getElementById(state.near);
  scrollBy(0, near ? near.getBoundingClientRect().top - state.top : -state.top - scrollY);
}

if (root.dataset.renew) {
  history.scrollRestoration = "manual";
  const former = kept(sessionStorage, place);
  addEventListener("load", () => {
    if (former) recall(JSON.parse(former)); // before the place is remembered anew
    setInterval(() => {
      if (dialog.open || document.querySelector("details[open] > iframe, :active")) return;
      remember();
      location.reload();
    }, 1000 * root.dataset.renew);
  });
}
