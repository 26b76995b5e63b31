// What the dashboard is made of: elements, numbers as people read them, charts and tables that sort.
// `dashboard.js` beside it fills them.
//
// Keys, tags, members and failures come from strangers: every value is written as text, and no markup
// is ever made of one.
"use strict";

const EVERY = 1000;
const KEPT = 121; // two minutes

const $ = (id) => document.getElementById(id);

// Elements ------------------------------------------------------------------------------------------

function el(name, more, ...within) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(more || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key === "text") made.textContent = value;
    else made.setAttribute(key, value);
  }
  made.append(...within);
  return made;
}

function svg(name, more) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(more || {})) made.setAttribute(key, value);
  return made;
}

// Selection, focus and a screen reader's place stay where nothing has changed.
function say(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

// Numbers as people read them -----------------------------------------------------------------------

const whole = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const count = (n) => (n === null || n === undefined ? "\u2013" : whole.format(n).replace(/,/g, "\u2009"));

function short(n) {
  if (n === null || n === undefined || !isFinite(n)) return "\u2013";
  if (n >= 1e9) return (n / 1e9).toFixed(2) + " G";
  if (n >= 1e6) return (n / 1e6).toFixed(n >= 1e7 ? 1 : 2) + " M";
  if (n >= 1e4) return (n / 1e3).toFixed(n >= 1e5 ? 0 : 1) + " k";
  if (n >= 100 || Number.isInteger(n)) return count(n);
  return n.toFixed(n >= 10 ? 1 : 2);
}

function bytes(n) {
  if (n === null || n === undefined) return "\u2013";
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let place = 0;
  while (n >= 1024 && place < units.length - 1) { n /= 1024; place += 1; }
  return (place === 0 ? count(n) : n.toFixed(n >= 100 ? 0 : 1)) + " " + units[place];
}

function micros(n) {
  if (n === null || n === undefined) return "\u2013";
  if (n < 1000) return Math.round(n) + " \u00b5s";
  if (n < 1e6) return (n / 1000).toFixed(n % 1000 === 0 ? 0 : n < 1e4 ? 2 : n < 1e5 ? 1 : 0) + " ms";
  return (n / 1e6).toFixed(2) + " s";
}

const percent = (share) => (share === null ? "\u2013" : (share * 100).toFixed(share > 0.9995 ? 0 : 1) + " %");

function span(millis) {
  if (millis === null || millis === undefined) return "\u2013";
  const s = Math.floor(millis / 1000);
  if (s < 60) return s + " s";
  if (s < 3600) return Math.floor(s / 60) + " min " + (s % 60) + " s";
  if (s < 86400) return Math.floor(s / 3600) + " h " + Math.floor((s % 3600) / 60) + " min";
  return Math.floor(s / 86400) + " d " + Math.floor((s % 86400) / 3600) + " h";
}

const ago = (now, at) => (at ? span(Math.max(0, now - at)) + " ago" : "\u2013");

// Charts --------------------------------------------------------------------------------------------

const WIDE = 240;
const HIGH = 74;

class Chart {
  constructor(title, shown, options) {
    Object.assign(this, { title, shown, options: options || {}, curves: [] });
    this.value = el("span");
    this.beside = el("small");
    this.top = el("span");
    this.line = svg("svg", { viewBox: `0 0 ${WIDE} ${HIGH}`, preserveAspectRatio: "none", role: "img" });
    this.area = svg("path", { class: "area" });
    this.first = svg("path", { class: "curve" });
    this.second = svg("path", { class: "curve other" });
    this.cursor = svg("path", { class: "cursor" });
    const rule = svg("path", { class: "rule", d: `M0 ${HIGH - 0.5}H${WIDE}` });
    this.line.append(rule, this.area, this.second, this.first, this.cursor);
    this.line.addEventListener("pointermove", (event) => this.point(event));
    this.line.addEventListener("pointerleave", () => { this.pointed = null; this.label(); this.cursor.setAttribute("d", ""); });
    this.figure = el("figure", { class: "card chart" },
      el("figcaption", null, el("b", { text: title }), this.top),
      el("div", { class: "figure" }, this.value, this.beside));
    this.figure.append(this.line);
  }

  draw(first, second, beside) {
    Object.assign(this, { data: [first, second], besideText: beside });
    const seen = first.concat(second || []).filter((n) => n !== null);
    const highest = this.options.top || nice(Math.max(this.options.least || 0, ...seen));
    this.highest = highest;
    const share = (value) => shareOf[this.options.scale || "even"](value, highest);
    this.first.setAttribute("d", curve(first, share));
    this.area.setAttribute("d", area(first, share));
    this.second.setAttribute("d", second ? curve(second, share) : "");
    this.label();
    const last = first[first.length - 1];
    this.line.setAttribute("aria-label", `${this.title}: ${this.shown(last === undefined ? null : last)} now, chart to ${this.shown(highest)}`);
  }

  label() {
    const place = this.pointed;
    const [first, second] = this.data || [[], null];
    const at = place === null || place === undefined ? first.length - 1 : place;
    say(this.value, this.shown(first[at] === undefined ? null : first[at]));
    if (place === null || place === undefined) {
      this.beside.replaceChildren(...(this.besideText || []));
      say(this.top, this.options.top ? "" : "to " + this.shown(this.highest || null));
    } else {
      this.beside.replaceChildren(second ? el("b", { text: this.options.second + " " + this.shown(second[at]) }) : "");
      say(this.top, span((first.length - 1 - at) * EVERY) + " ago");
    }
  }

  point(event) {
    const box = this.line.getBoundingClientRect();
    const [first] = this.data || [[]];
    if (first.length === 0) return;
    const x = ((event.clientX - box.left) / box.width) * WIDE;
    const place = Math.round((x / WIDE) * (KEPT - 1)) - (KEPT - first.length);
    this.pointed = Math.min(first.length - 1, Math.max(0, place));
    const at = xOf(this.pointed, first.length);
    this.cursor.setAttribute("d", `M${at} 0V${HIGH}`);
    this.label();
  }
}

function nice(n) {
  if (n <= 0) return 1;
  const step = 10 ** Math.floor(Math.log10(n));
  return [1, 2, 5, 10].map((it) => it * step).find((it) => it >= n);
}

// Latencies lie decades apart: theirs is a scale of powers of ten.
const LEAST = 10;

const xOf = (place, length) => ((place + KEPT - length) / (KEPT - 1)) * WIDE;
const shareOf = {
  even: (value, highest) => value / highest,
  powers: (value, highest) => Math.log(Math.max(value, LEAST) / LEAST) / Math.log(highest / LEAST),
};
const yOf = (share) => HIGH - 1 - Math.min(1, Math.max(0, share)) * (HIGH - 6);

function runs(data) {
  const all = [];
  let run = null;
  data.forEach((value, place) => {
    if (value === null) { run = null; return; }
    if (!run) { run = []; all.push(run); }
    run.push([place, value]);
  });
  return all;
}

function curve(data, share) {
  const at = ([place, value]) => `${xOf(place, data.length).toFixed(2)} ${yOf(share(value)).toFixed(2)}`;
  return runs(data).map((run) => "M" + run.map(at).join("L") + (run.length === 1 ? "h0.1" : "")).join("");
}

function area(data, share) {
  const at = ([place, value]) => `${xOf(place, data.length).toFixed(2)} ${yOf(share(value)).toFixed(2)}`;
  const shape = (run) => `M${xOf(run[0][0], data.length).toFixed(2)} ${HIGH}L${run.map(at).join("L")}L${xOf(run[run.length - 1][0], data.length).toFixed(2)} ${HIGH}Z`;
  return runs(data).filter((run) => run.length > 1).map(shape).join("");
}

// Tables --------------------------------------------------------------------------------------------

// A column: its title, the value that it is sorted by, how that is shown, and more.
const column = (title, of, shown, more) => ({ title, of, shown: shown || ((value) => String(value ?? "\u2013")), ...more });
const number = (title, of, shown, more) => column(title, of, shown || count, { num: true, ...more });

class Table {
  constructor(id, title, columns, more) {
    Object.assign(this, { id, columns, rows: [], sort: more.sort || null, empty: more.empty, key: more.key });
    this.note = el("p", { class: "faint" });
    this.body = el("tbody");
    this.heads = columns.map((it, place) => {
      const button = el("button", { type: "button", text: it.title });
      button.addEventListener("click", () => this.sortBy(place));
      return el("th", { scope: "col", class: it.num ? "num" : "" }, button);
    });
    const table = el("table", { "aria-labelledby": id + "-title" }, el("thead", null, el("tr", null, ...this.heads)), this.body);
    this.scroll = el("div", { class: "scroll", tabindex: "0", role: "region", "aria-labelledby": id + "-title" }, table);
    this.nothing = el("p", { class: "empty", text: more.empty });
    this.card = el("section", { class: "card", id, "aria-labelledby": id + "-title" },
      el("div", { class: "head" }, el("h2", { id: id + "-title", text: title }), this.note), this.scroll, this.nothing);
    this.marks();
  }

  sortBy(place) {
    const isSame = this.sort && this.sort.place === place;
    const first = this.columns[place].num ? -1 : 1;
    this.sort = { place, way: isSame ? -this.sort.way : first };
    this.marks();
    this.show();
  }

  marks() {
    this.heads.forEach((head, place) => {
      if (this.sort && this.sort.place === place) head.setAttribute("aria-sort", this.sort.way > 0 ? "ascending" : "descending");
      else head.removeAttribute("aria-sort");
    });
  }

  draw(rows, note) {
    this.rows = rows;
    if (note !== undefined) say(this.note, note);
    this.show();
  }

  show() {
    const rows = this.sorted();
    this.scroll.hidden = rows.length === 0;
    this.nothing.hidden = rows.length > 0;
    const have = new Map([...this.body.rows].map((row) => [row.dataset.key, row]));
    rows.forEach((row, place) => {
      const key = this.key(row);
      let line = have.get(key);
      if (line) have.delete(key);
      else { line = el("tr", null, ...this.columns.map(() => el("td"))); line.dataset.key = key; }
      this.fill(line, row);
      if (this.body.rows[place] !== line) this.body.insertBefore(line, this.body.rows[place] || null);
    });
    have.forEach((line) => line.remove());
  }

  fill(line, row) {
    this.columns.forEach((it, place) => {
      const cell = line.cells[place];
      const value = it.of(row);
      const mood = it.mood ? it.mood(value, row) : "";
      const look = [it.num ? "num" : "", it.look || "", mood].filter(Boolean).join(" ");
      if (cell.className !== look) cell.className = look;
      if (it.draw) it.draw(cell, value, row);
      else say(cell, it.shown(value, row));
    });
  }

  sorted() {
    if (!this.sort) return this.rows;
    const { place, way } = this.sort;
    const of = this.columns[place].of;
    const rank = (value) => (value === null || value === undefined ? -Infinity : value);
    return [...this.rows].sort((a, b) => {
      const [x, y] = [of(a), of(b)];
      if (typeof x === "string" || typeof y === "string") return way * String(x ?? "").localeCompare(String(y ?? ""));
      return way * (rank(x) < rank(y) ? -1 : rank(x) > rank(y) ? 1 : 0);
    });
  }
}

