// The dashboard's script: asks the node for its status each second, and fills the page with it.
//
// The token lives in this tab's session storage and goes out in a field, never in a cookie.
"use strict";

const PATIENCE = 5000;
const WINDOW = 10; // samples over which ratios and latencies are taken
const TOKEN = "forebay-token";
const THEME = "forebay-theme";

// What is kept of each second -----------------------------------------------------------------------

let samples = [];

function sampleOf(status) {
  const t = status.traffic;
  return {
    at: status.at_millis, uptime: status.uptime_millis, requests: t.requests, hits: t.hits,
    origin: t.origin_requests, saved: t.origin_saved, bytes: t.body_bytes, counts: status.answers.counts,
    hot: new Map(status.hottest.map((it) => [it.url, it.hits])),
    reasons: new Map(status.reasons.map((it) => [it.result + " " + it.detail, it.count])),
  };
}

function keep(sample) {
  const last = samples[samples.length - 1];
  // Another process answers, or this one has begun anew.
  if (last && (sample.uptime < last.uptime || sample.requests < last.requests)) samples = [];
  samples.push(sample);
  if (samples.length > KEPT) samples.shift();
}

function rate(place, of) {
  const [now, before] = [samples[place], samples[place - 1]];
  if (!now || !before || now.at <= before.at) return null;
  return Math.max(0, of(now) - of(before)) / ((now.at - before.at) / 1000);
}

function within(place, first) { return samples[Math.max(first || 0, place - WINDOW)]; }

function ratio(place) {
  const [now, before] = [samples[place], within(place)];
  const asked = now.requests - before.requests;
  return asked > 0 ? (now.hits - before.hits) / asked : null;
}

function quantile(place, share, ends) {
  const [now, before] = [samples[place], within(place)];
  const counts = now.counts.map((n, i) => n - (before.counts[i] || 0));
  const all = counts.reduce((sum, n) => sum + n, 0);
  if (all <= 0) return null;
  const wanted = share * all;
  let seen = 0;
  for (let i = 0; i < counts.length; i += 1) {
    if (counts[i] > 0 && seen + counts[i] >= wanted) {
      const begin = i === 0 ? 0 : ends[i - 1];
      const end = i < ends.length ? ends[i] : begin;
      return begin + ((wanted - seen) / counts[i]) * (end - begin);
    }
    seen += counts[i];
  }
  return null;
}

// Charts -------------------------------------------------------------------------------------------

const charts = {
  ratio: new Chart("Hit ratio", percent, { top: 1 }),
  requests: new Chart("Requests a second", short, { least: 1 }),
  origin: new Chart("Origin requests a second", short, { least: 1 }),
  latency: new Chart("Latency, median", micros, { least: 1000, second: "p99", scale: "powers" }),
};
$("charts").append(...Object.values(charts).map((it) => it.figure));

function drawCharts(status) {
  const places = samples.map((_, place) => place).slice(1);
  const ends = status.answers.ends_micros;
  const of = (make) => places.map(make);
  const last = samples.length - 1;
  charts.ratio.draw(of(ratio), null, [`${percent(status.traffic.hit_ratio)} since the start`]);
  charts.requests.draw(of((i) => rate(i, (it) => it.requests)), null, [`${bytes(rate(last, (it) => it.bytes))}/s out`]);
  charts.origin.draw(of((i) => rate(i, (it) => it.origin)), null, [`${short(rate(last, (it) => it.saved))}/s saved`]);
  const p99 = of((i) => quantile(i, 0.99, ends));
  const tail = p99[p99.length - 1];
  charts.latency.draw(of((i) => quantile(i, 0.5, ends)), p99, [
    el("b", { text: "p99 " + micros(tail) }), ` \u00b7 origin ${micros(status.origins.p50_micros)}`,
  ]);
}

// What became of exchanges --------------------------------------------------------------------------

function drawOutcomes(status) {
  const t = status.traffic;
  const seen = t.results.filter((it) => it.count > 0);
  const [stack, legend] = [$("outcomes"), $("legend")];
  stack.replaceChildren(...seen.map((it) => {
    const part = el("span", { class: known(it.word) });
    part.style.flexGrow = String(it.count);
    return part;
  }));
  legend.replaceChildren(...t.results.map((it) => el("li", { class: it.count ? "" : "faint" },
    el("i", { class: known(it.word), "aria-hidden": "true" }), el("span", { text: it.word }), el("b", { text: count(it.count) }))));
  const words = seen.map((it) => `${it.word} ${percent(it.count / t.requests)}`).join(", ");
  stack.setAttribute("aria-label", words || "No exchanges yet");
  const errors = t.statuses.filter((it) => it.word === "5xx" && it.count > 0).map((it) => ` \u00b7 ${count(it.count)} with 5xx`);
  say($("sums"), `${count(t.requests)} since the start \u00b7 ${count(t.origin_requests)} origin requests, ${count(t.origin_saved)} saved \u00b7 ${bytes(t.body_bytes)} out${errors.join("")}`);
}

const OUTCOMES = ["hit", "stale", "revalidated", "collapsed", "miss", "bypass", "refused"];
const known = (word) => (OUTCOMES.includes(word) ? word : "bypass");

// Tables -------------------------------------------------------------------------------------------

const STATES = { up: "good", applied: "good", down: "bad", out: "bad", unheard: "bad", doubt: "bad", behind: "warn", paused: "warn", draining: "warn" };
const stateMood = (value) => STATES[String(value).split(" ")[0]] || "";
const ifAny = (mood) => (value) => (value > 0 ? mood : "");

function gauge(cell, value, row) {
  const share = row.bytes_max ? Math.min(1, (row.bytes || 0) / row.bytes_max) : null;
  if (!cell.firstChild) cell.append(el("span"), el("span", { class: "gauge", "aria-hidden": "true" }, el("i")));
  say(cell.firstChild, row.bytes === null ? "\u2013" : bytes(row.bytes) + (row.bytes_max ? " of " + bytes(row.bytes_max) : ""));
  cell.lastChild.hidden = share === null;
  if (share !== null) cell.lastChild.firstChild.style.width = (share * 100).toFixed(1) + "%";
}

const lookRatio = (row) => (row.misses === null || row.hits + row.misses === 0 ? null : row.hits / (row.hits + row.misses));
let now = 0;

const tables = {
  tiers: new Table("tiers", "Tiers", [
    column("Tier", (row) => row.name),
    column("State", (row) => row.state, null, { mood: stateMood }),
    number("Held", (row) => row.bytes, null, { draw: gauge }),
    number("Entries", (row) => row.entries),
    number("Hits", (row) => row.hits),
    number("Misses", (row) => row.misses),
    number("Found", lookRatio, percent),
    number("Stored", (row) => row.stored),
    number("Refused", (row) => row.refused),
    number("Evicted", (row) => row.evicted),
    number("Failures", (row) => row.failures, null, { mood: ifAny("bad") }),
  ], { key: (row) => row.name, empty: "Nothing is known of tiers." }),
  hottest: new Table("hottest", "Hottest", [
    column("URL", (row) => row.url, null, { look: "key grow" }),
    number("Hits", (row) => row.hits),
    number("A second", (row) => row.rate, short),
    number("Body", (row) => row.body_bytes, bytes),
  ], { key: (row) => row.url + " " + row.place, sort: { place: 1, way: -1 }, empty: "Memory has answered nothing yet." }),
  reasons: new Table("reasons", "Why no plain hit", [
    column("Result", (row) => row.result),
    column("Detail", (row) => row.detail, null, { look: "key grow" }),
    number("Exchanges", (row) => row.count),
    number("A second", (row) => row.rate, short),
  ], { key: (row) => row.result + " " + row.detail, sort: { place: 2, way: -1 }, empty: "All exchanges were plain hits." }),
  members: new Table("members", "Routes and members", [
    column("Route", (row) => row.route),
    column("Serves", (row) => row.serves, null, { look: "key" }),
    column("Member", (row) => row.name, null, { look: "key grow" }),
    column("State", (row) => row.stateText, null, { mood: stateMood }),
    number("Now", (row) => row.requests),
    number("Waiting", (row) => row.waiting, null, { mood: ifAny("warn") }),
    number("Latency", (row) => row.latency_micros, micros),
    number("Ejected", (row) => row.ejections, null, { mood: ifAny("warn") }),
    number("Unwell", (row) => row.checks_failed, null, { mood: ifAny("warn") }),
  ], { key: (row) => row.key, empty: "The file names no routes, and none in Redis has been used." }),
  nodes: new Table("nodes", "Nodes", [
    column("Node", (row) => row.node + (row.is_this ? " (this)" : ""), null, { look: "key grow" }),
    column("Purges", (row) => row.state, (value, row) => (row.unheard_millis !== null && value !== "applied" ? `${value} ${span(row.unheard_millis)}` : value), { mood: stateMood }),
    number("At", (row) => row.at),
  ], { key: (row) => row.node, empty: "No node is known." }),
  purges: new Table("purges", "Purges", [
    number("Epoch", (row) => row.epoch),
    column("What", (row) => row.what.join(", "), null, { look: "key grow" }),
    column("How", (row) => row.kind),
    column("When", (row) => row.at_millis, (value) => ago(now, value)),
    column("Nodes", (row) => nodesOf(row), null, { mood: (value) => (/behind|unheard/.test(value) ? "warn" : "") }),
  ], { key: (row) => row.epoch + " " + row.at_millis, empty: "Nothing was purged since the start." }),
  problems: new Table("problems", "Problems", [
    column("Kind", (row) => row.word, null, { mood: () => "bad" }),
    column("What", (row) => row.text, null, { look: "grow" }),
    number("Times", (row) => row.count),
    column("Last", (row) => row.last_millis, (value) => ago(now, value)),
  ], { key: (row) => row.word + " " + row.text, empty: "None was seen." }),
};
const side = (...all) => el("div", { class: "side" }, ...all.map((it) => it.card));
$("tables").append(tables.tiers.card,
  side(tables.hottest, tables.members), side(tables.reasons, tables.nodes, tables.problems, tables.purges));

function nodesOf(purge) {
  if (!purge.is_own) return "another node\u2019s";
  const counts = new Map();
  purge.nodes.forEach((it) => counts.set(it.state, (counts.get(it.state) || 0) + 1));
  return [...counts].map(([state, n]) => `${n} ${state}`).join(", ") || "\u2013";
}

function memberRows(status) {
  const rows = [];
  const used = status.routes_in_redis?.used || [];
  const shared = (route) => (route.sharing ? ` and ${count(route.sharing)} more` : "");
  [...status.routes, ...used].forEach((route, turn) => route.members.forEach((it, place) => rows.push({
    ...it, route: route.name, serves: route.host + route.path + shared(route), key: [turn < status.routes.length, route.name, place, it.name].join(" "),
    stateText: it.state + (it.why ? ` (${it.why}${it.out_millis ? ", " + span(it.out_millis) : ""})` : ""),
  })));
  return rows;
}

function drawTables(status) {
  now = status.at_millis;
  const last = samples.length - 1;
  const before = samples.length > 1 ? within(last) : null;
  const seconds = before ? (samples[last].at - before.at) / 1000 : 0;
  const speed = (value, was) => (before && seconds > 0 && was !== undefined && value >= was ? (value - was) / seconds : null);
  tables.tiers.draw(status.tiers);
  tables.hottest.draw(status.hottest.map((it, place) => ({ ...it, place, rate: speed(it.hits, before?.hot.get(it.url)) })), "Memory\u2019s, since each was stored");
  tables.reasons.draw(status.reasons.map((it) => ({ ...it, rate: speed(it.count, before?.reasons.get(it.result + " " + it.detail)) })));
  const redis = status.routes_in_redis;
  const leftOut = status.routes_left_out + (redis?.used_left_out || 0);
  const more = leftOut ? `${count(leftOut)} more routes` : "";
  const inRedis = redis ? `in Redis: ${count(redis.known)} known, ${count(redis.wrong)} wrong${redis.is_up ? "" : ", out of reach"}` : "";
  tables.members.draw(memberRows(status), [more, inRedis].filter(Boolean).join(" \u00b7 "));
  const log = status.log;
  const heard = log.heard_millis === null ? "" : `, heard ${span(log.heard_millis)} ago`;
  tables.nodes.draw(status.nodes, `log in ${log.kind} at ${count(log.epoch)}${heard}${log.in_doubt ? ", in doubt" : ""}`);
  tables.purges.draw(status.purges);
  tables.problems.draw(status.problems);
}

// Asking --------------------------------------------------------------------------------------------

let isPaused = false;
let timer = 0;
let isAsking = false;
let lostSince = 0;

class Refused extends Error {
  constructor(status, words) { super(words); this.status = status; }
}

async function call(path, body) {
  const asked = {
    cache: "no-store", credentials: "omit", redirect: "error", referrerPolicy: "no-referrer",
    headers: { Authorization: "Bearer " + (sessionStorage.getItem(TOKEN) || "") },
  };
  // A purge waits for its nodes as long as the order says; a look does not.
  asked.signal = AbortSignal.timeout(body === undefined ? PATIENCE : 70000);
  if (body !== undefined) {
    asked.method = "POST";
    asked.headers["Content-Type"] = "application/json";
    asked.body = JSON.stringify(body);
  }
  const answer = await fetch(path, asked);
  const said = await answer.json().catch(() => ({}));
  if (!answer.ok) throw new Refused(answer.status, said.error || `it answered ${answer.status}`);
  return said;
}

function live(state, text) {
  $("live").dataset.state = state;
  say($("live-text"), text);
}

function gate(words) {
  $("gate").hidden = false;
  $("forget").hidden = true;
  say($("gate-error"), words || "");
  live("idle", "Waiting for the token");
}

async function look() {
  window.clearTimeout(timer);
  if (isAsking || isPaused || document.hidden) return;
  if (!sessionStorage.getItem(TOKEN)) return gate("");
  isAsking = true;
  const begun = performance.now();
  try {
    show(await call("status"));
  } catch (failure) {
    if (failure instanceof Refused && [401, 403, 421].includes(failure.status)) {
      isAsking = false;
      sessionStorage.removeItem(TOKEN);
      return gate(failure.message);
    }
    lost(failure);
  }
  isAsking = false;
  timer = window.setTimeout(look, Math.max(100, EVERY - (performance.now() - begun)));
}

function lost(failure) {
  lostSince = lostSince || Date.now();
  const words = failure instanceof Refused ? failure.message : "The gateway does not answer";
  live("lost", words);
  $("facts").textContent = `since ${new Date(lostSince).toLocaleTimeString()}; what stands below is from before`;
}

function show(status) {
  lostSince = 0;
  $("gate").hidden = true;
  $("forget").hidden = false;
  keep(sampleOf(status));
  const isDraining = status.phase !== "serving";
  live(isDraining || status.log.in_doubt ? "warn" : "live", isDraining ? "Draining" : status.log.in_doubt ? "In doubt of purges" : "Live");
  say($("node"), status.node);
  const clients = status.clients;
  const refused = clients.refused.reduce((sum, it) => sum + it.count, 0);
  say($("facts"), [`version ${status.version}`, `up ${span(status.uptime_millis)}`, `${count(clients.connections)} connections`,
    `${count(clients.exchanges)} under way`, refused ? `${count(refused)} malformed` : "", clients.panics ? `${count(clients.panics)} panics` : ""].filter(Boolean).join(" \u00b7 "));
  document.title = `Forebay \u00b7 ${status.node}`;
  drawCharts(status);
  drawOutcomes(status);
  drawTables(status);
}

// Forms ---------------------------------------------------------------------------------------------

$("gate").addEventListener("submit", (event) => {
  event.preventDefault();
  sessionStorage.setItem(TOKEN, $("token").value.trim());
  $("token").value = "";
  look();
});

$("forget").addEventListener("click", () => {
  sessionStorage.removeItem(TOKEN);
  gate("");
  $("token").focus();
});

$("pause").addEventListener("click", () => {
  isPaused = !isPaused;
  $("pause").setAttribute("aria-pressed", String(isPaused));
  say($("pause"), isPaused ? "Go on" : "Pause");
  if (isPaused) live("warn", "Paused");
  else look();
});

document.addEventListener("visibilitychange", () => {
  if (!document.hidden) look();
});

$("theme").value = localStorage.getItem(THEME) || "auto";
document.documentElement.dataset.theme = $("theme").value || "auto";
$("theme").addEventListener("change", () => {
  localStorage.setItem(THEME, $("theme").value);
  document.documentElement.dataset.theme = $("theme").value;
});

const SCOPES = {
  urls: ["URL, with all its variants", "https://shop.example.com/a"],
  prefixes: ["Everything whose path begins so", "https://shop.example.com/shoes/"],
  hosts: ["Host, on all its ports", "shop.example.com"],
  tags: ["Tag, on any host", "sale"],
  all: ["", ""],
};

function scopeChosen() {
  const scope = $("purge-scope").value;
  const isAll = scope === "all";
  $("purge-name").closest("label").hidden = isAll;
  $("purge-name").required = !isAll;
  $("purge-sure-field").hidden = !isAll;
  $("purge-sure").required = isAll;
  say($("purge-name-label"), SCOPES[scope][0]);
  $("purge-name").placeholder = SCOPES[scope][1];
}
$("purge-scope").addEventListener("change", scopeChosen);
scopeChosen();

$("purge").addEventListener("submit", async (event) => {
  event.preventDefault();
  const scope = $("purge-scope").value;
  const order = { kind: new FormData(event.target).get("kind") };
  if (scope === "all") order.all = true;
  else order[scope] = [$("purge-name").value.trim()];
  await sent(event.target, $("purge-said"), "purge", order, purged);
  $("purge-sure").checked = false;
  look();
});

$("why").addEventListener("submit", async (event) => {
  event.preventDefault();
  const lines = $("why-fields").value.split("\n").map((line) => line.trim()).filter(Boolean);
  const fields = lines.map((line) => {
    const at = line.indexOf(":");
    return at < 0 ? [line, ""] : [line.slice(0, at).trim(), line.slice(at + 1).trim()];
  });
  await sent(event.target, $("why-said"), "why", { url: $("why-url").value.trim(), method: $("why-method").value, fields }, explained);
});

async function sent(form, to, path, body, shown) {
  const button = form.querySelector("button[type=submit]");
  button.disabled = true;
  to.replaceChildren(el("p", { class: "faint", text: "Asking\u2026" }));
  try {
    to.replaceChildren(...shown(await call(path, body)));
  } catch (failure) {
    if (failure instanceof Refused && failure.status === 401) gate(failure.message);
    const words = failure instanceof Refused ? failure.message : "The gateway does not answer";
    to.replaceChildren(el("p", { class: "error", text: words }));
  }
  button.disabled = false;
}

function plain(titles, rows) {
  const heads = titles.map((title) => el("th", { scope: "col", text: title }));
  const lines = rows.map((row) => el("tr", null, ...row.map((cell) => el("td", { class: cell.class, text: cell.text }))));
  return el("div", { class: "scroll" }, el("table", null, el("thead", null, el("tr", null, ...heads)), el("tbody", null, ...lines)));
}

function purged(said) {
  const what = said.purges > 1 ? `Purges ${said.epoch + 1 - said.purges} to ${said.epoch} are in force` : `Purge ${said.epoch} is in force`;
  const more = said.refreshing ? `, ${count(said.refreshing)} entries are being fetched again` : "";
  const isBehind = !said.complete;
  const rows = said.nodes.map((it) => [
    { class: "key grow", text: it.node },
    { class: stateMood(it.state), text: it.state },
    { class: "", text: it.state === "behind" ? `it is at ${it.at}` : it.state === "unheard" ? `for ${span(it.unheard_millis)}: ${said.in_doubt}` : "" },
  ]);
  return [el("h3", { class: isBehind ? "error" : "", text: what + more + (isBehind ? "; a node is behind" : "") }), plain(["Node", "State", ""], rows)];
}

function explained(said) {
  const parts = said.nodes.flatMap((it) => {
    const facts = [["Node", it.node], ["Cache-Status", it.cache_status], ["Route", it.route], ["Key", it.key],
      ["Purges", `at ${it.epoch}${it.in_doubt ? ", in doubt" : ""}`]];
    const list = el("dl", null, ...facts.flatMap(([name, value]) => [el("dt", { text: name }), el("dd", { class: "mono", text: value })]));
    const rows = it.found.map((lying) => [
      { class: "", text: lying.tier },
      { class: "", text: lying.variants === undefined ? `${lying.kind}${lying.status ? " " + lying.status : ""}` : `${lying.variants} variants` },
      { class: lying.fits ? "good" : "warn", text: lying.fits ? "fits" : "does not fit" },
      { class: "num", text: lying.age === undefined ? "\u2013" : `${lying.age} s of ${lying.lifetime} s` },
      { class: "", text: lying.purged },
      { class: "key grow", text: (lying.tags || []).join(" ") },
    ]);
    const found = rows.length ? [plain(["Tier", "Lies there", "", "Age", "Purged", "Tags"], rows)] : [el("p", { class: "faint", text: "Nothing lies under the key." })];
    return [el("h3", { text: it.because }), list, ...found];
  });
  if (said.nodes.length < said.asked) parts.push(el("p", { class: "error", text: `${said.nodes.length} of ${said.asked} nodes have answered` }));
  return parts;
}

look();
