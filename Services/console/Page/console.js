// Shows the line live: asks for the overview once a second, one question at a time, and says when it has no answer.
import { byId, el, keyed, openTrace, setText, traceButton } from "/dom.js";
import { milliseconds, number, percent, short, time, words } from "/words.js";
import { renderPictures, renderStrip } from "/parts.js";
import { startTrace } from "/trace.js";

const pollMs = 1000;
const longestPauseMs = 10_000;
const patienceMs = 8000;
// A trigger without verdict or named gap for longer than this is not in work, it is missing.
const settledMs = 10_000;
const listLimit = 100;

const link = { lastMs: null, failures: 0, why: "" };
let shown = "";
let overview = null;
let triggersSeen = [];

// Asking

async function ask() {
  let answer;
  try {
    answer = await fetch("/v1/overview", { cache: "no-store", signal: AbortSignal.timeout(patienceMs) });
  } catch (error) {
    const isSlow = error.name === "TimeoutError";
    throw new Error(isSlow ? "the console takes too long to answer" : "the console does not answer");
  }
  const text = await answer.text();
  if (answer.ok) return text;
  let said;
  try {
    said = JSON.parse(text).error;
  } catch {
    said = null;
  }
  throw new Error(said?.message ?? said ?? `the console answered ${answer.status}`);
}

async function poll() {
  try {
    const text = await ask();
    if (text !== shown || link.failures > 0) {
      overview = JSON.parse(text);
      shown = text;
    }
    Object.assign(link, { lastMs: Date.now(), failures: 0, why: "" });
    noteTriggers(overview.balance);
    render(overview);
  } catch (error) {
    link.failures += 1;
    link.why = error.message;
  }
  renderLink();
  const pause = link.failures === 0 ? pollMs : Math.min(longestPauseMs, pollMs * 2 ** Math.min(link.failures - 1, 4));
  if (document.hidden) document.addEventListener("visibilitychange", poll, { once: true });
  else setTimeout(poll, pause);
}

function noteTriggers(balance) {
  const now = Date.now();
  if (balance.triggers < (triggersSeen.at(-1)?.triggers ?? 0)) triggersSeen = [];
  triggersSeen.push({ at: now, triggers: balance.triggers });
  // The newest count that is old enough stays at the front.
  while (triggersSeen.length > 1 && now - triggersSeen[1].at >= settledMs) triggersSeen.shift();
}

// How many triggers of more than `settledMs` ago have neither verdict nor gap.
function overdue(balance) {
  const [old] = triggersSeen;
  if (!old || Date.now() - old.at < settledMs) return 0;
  return Math.max(0, old.triggers - (balance.triggers - balance.open));
}

// Showing

function renderLink() {
  const isAway = link.failures > 0;
  document.body.classList.toggle("stale", isAway && link.lastMs !== null);
  document.body.classList.toggle("waiting", link.lastMs === null);
  byId("live").className = isAway ? "bad" : "good";
  setText(byId("live-word"), isAway ? "No data" : "Live");
  setText(byId("live-time"), link.lastMs === null ? "" : time(link.lastMs * 1000));
  renderBanners();
}

function renderBanners() {
  const banners = [];
  if (link.failures > 0) {
    const had = link.lastMs !== null;
    const title = had ? `No data since ${time(link.lastMs * 1000)}` : "No data yet";
    const text = link.why + (had ? ". What is shown below is of then." : "");
    banners.push({ id: "link", level: "bad", title, text });
  }
  for (const peer of overview?.deliveries ?? []) {
    if (peer.lost.length === 0) continue;
    const text = `${peer.lost.join("; ")}. The line goes on; ${number(peer.pending)} deliveries wait in order.`;
    banners.push({ id: `lost-${peer.peer}`, level: "warn", title: `${peer.peer.toUpperCase()} lost`, text });
  }
  if (overview?.gaps.length > 0) {
    banners.push({ id: "gaps", level: "bad", title: "The log has a gap", text: some(overview.gaps) });
  }
  if (overview?.not_understood.length > 0) {
    const text = `${some(overview.not_understood)}: held until this program is upgraded.`;
    banners.push({ id: "unknown", level: "bad", title: "Records not understood", text });
  }
  keyed(byId("banners"), banners, (banner) => banner.id, (banner) =>
    el(`p.banner.${banner.level}`, {}, el("b", {}, banner.title), ` ${banner.text}`));
}

const some = (texts) => texts.slice(0, 3).join("; ") + (texts.length > 3 ? `; and ${texts.length - 3} more` : "");

function render(data) {
  setText(byId("site"), data.site);
  renderLines(data);
  renderStrip(data.last_parts);
  renderPictures(data.last_parts);
  renderAlarms(data.alarms);
  renderHolds(data.holds.filter((hold) => hold.is_open));
  renderLegalHolds(data.legal_holds);
  renderDeliveries(data.deliveries);
  renderBalance(data.balance);
  renderLatencies(data.latencies);
  renderOrders(data.orders);
  const open = data.alarms.length;
  document.title = `${open > 0 ? `(${open}) ` : ""}LineLedger ${data.site}`;
}

function renderLines(data) {
  const lines = data.lines.map((line) => {
    const order = data.orders.find((one) => one.order_id === line.order_id);
    const stations = data.stations.filter((station) => station.context?.line === line.line);
    const names = new Set(stations.map((station) => station.station));
    const shifts = data.shifts.filter((shift) => shift.shift === line.shift && names.has(shift.station));
    const subjects = new Set([line.line, line.order_id, line.context?.batch_id, ...names]);
    const holds = data.holds.filter((hold) => hold.is_open && hold.subject_kind !== "part");
    const isHeld = holds.some((hold) => subjects.has(hold.subject_id));
    return { line, order, shift: total(shifts), stations, isHeld };
  });
  keyed(byId("lines"), lines, (item) => item.line.line, lineCard);
  if (lines.length === 0) {
    const isEmpty = data.stations.length === 0;
    const text = isEmpty ? "Nothing is known of the plant yet: no order, no part." : "No line has an order yet.";
    byId("lines").replaceChildren(el("p.card.empty", {}, text));
  }
}

function total(yields) {
  const names = ["accepted", "rejected", "uncertain", "missed", "first_pass_accepted", "first_pass_inspected"];
  const sum = (name) => yields.reduce((total, one) => total + one.counts[name], 0);
  const counts = Object.fromEntries(names.map((name) => [name, sum(name)]));
  const inspected = counts.first_pass_inspected;
  return inspected > 0 ? { ...counts, first_pass_yield: counts.first_pass_accepted / inspected } : counts;
}

function lineCard({ line, order, shift, stations, isHeld }) {
  const context = line.context ?? {};
  const state = context.in_changeover ? "changeover" : line.state || "unknown";
  const counts = order?.counts ?? shift;
  const scope = order ? `order ${order.order_id}` : "this shift";
  const ended = stations.filter((station) => station.source_exhausted);
  return el(
    "section.card.line",
    { "aria-label": `Line ${line.line}` },
    el(
      "div.line-head",
      {},
      el("h2", {}, line.line),
      el(`span.state.${state}`, {}, state),
      isHeld ? el("span.state.held", {}, "on hold") : "",
      line.order_id ? traceButton(line.order_id, line.order_id, "button.order") : el("p.order", {}, "No order running"),
    ),
    contextList(context, line.shift),
    order && order.target_quantity > 0 ? targetBar(order) : "",
    bigCounts(counts, scope),
    el("p.quiet", {}, lineNotes(line, state, scope, shift, ended)),
  );
}

function contextList(context, shift) {
  const entries = [
    ["SKU", context.sku],
    ["Batch", context.batch_id && traceButton(context.batch_id)],
    ["Variant", context.variant],
    ["Customer order", context.customer_order],
    ["Recipe", context.recipe_id && `${context.recipe_id} ${short(context.recipe_sha256)}`.trim()],
    ["Shift", shift || context.shift],
  ];
  const known = entries.filter(([, value]) => value);
  return el("dl.facts", {}, ...known.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

// Accepted, then the rest that was made, against the order's target.
function targetBar(order) {
  const { accepted, rejected, uncertain } = order.counts;
  const made = accepted + rejected + uncertain;
  const scale = Math.max(order.target_quantity, made);
  const bar = el("div.bar", {
    role: "progressbar",
    "aria-label": "Accepted parts against the order's target",
    "aria-valuemin": "0",
    "aria-valuemax": String(order.target_quantity),
    "aria-valuenow": String(Math.min(accepted, order.target_quantity)),
  });
  for (const [kind, count] of [["pass", accepted], ["uncertain", uncertain], ["fail", rejected]]) {
    const piece = el(`span.${kind}`, {});
    piece.style.width = `${(100 * count) / scale}%`;
    bar.append(piece);
  }
  const share = Math.floor((100 * accepted) / order.target_quantity);
  const text = `${number(accepted)} of ${number(order.target_quantity)} accepted (${share} %), ${number(made)} made`;
  return el("div.target", {}, bar, el("p", {}, text));
}

function bigCounts(counts, of) {
  const big = (kind, label, value, isRaised) =>
    el(`div.big.${kind}${isRaised ? ".raised" : ""}`, {}, el("dt", {}, label), el("dd", {}, value));
  return el(
    "dl.bigs",
    { "aria-label": `Counts of ${of}` },
    big("pass", "Accepted", number(counts.accepted)),
    big("fail", "Rejected", number(counts.rejected), counts.rejected > 0),
    big("uncertain", "Uncertain", number(counts.uncertain), counts.uncertain > 0),
    big("missed", "Missed", number(counts.missed), counts.missed > 0),
    big("yield", "First-pass yield", percent(counts.first_pass_yield)),
  );
}

function lineNotes(line, state, scope, shift, ended) {
  const inspected = shift.accepted + shift.rejected + shift.uncertain;
  const notes = [`Counts of ${scope}`];
  if (line.since_us) notes.push(`${state} since ${time(line.since_us)}`);
  notes.push(`this shift ${number(inspected)} inspected, first-pass yield ${percent(shift.first_pass_yield)}`);
  for (const station of ended) {
    notes.push(`${station.station} has no more pictures` + (station.source_inspected ? ", all are inspected" : ""));
  }
  return notes.join("; ");
}

function renderAlarms(alarms) {
  const ranks = { high: 0, medium: 1, low: 2 };
  const rank = (alarm) => ranks[alarm.priority] ?? 3;
  const sorted = [...alarms].sort((a, b) => rank(a) - rank(b) || (b.raised_at_us ?? 0) - (a.raised_at_us ?? 0));
  setCount(byId("alarms-count"), alarms.length, sorted.some((alarm) => rank(alarm) === 0));
  keyed(byId("alarms"), sorted, (alarm) => alarm.alarm_id, (alarm) =>
    el(
      `li.alarm.${alarm.priority}`,
      {},
      el("div", {}, el("span.priority", {}, alarm.priority), el("time.quiet", {}, time(alarm.raised_at_us))),
      el("p", {}, alarm.kind === "hold-placed" ? traceButton(alarm.subject, alarm.text) : alarm.text),
      el("p.response", {}, alarm.response),
    ));
}

function setCount(node, count, isRaised) {
  setText(node, count === 0 ? "none" : count >= listLimit ? `${count}+` : String(count));
  node.classList.toggle("raised", count > 0 && isRaised);
}

function renderHolds(holds) {
  setCount(byId("holds-count"), holds.length, true);
  keyed(byId("holds"), holds, (hold) => hold.hold_id, (hold) => {
    const subject = el("b", {}, `${words(hold.subject_kind)} `, traceButton(hold.subject_id));
    const told = hold.deliveries.map((one) => `${one.peer} ${words(one.effect)} ${one.state}, `);
    return el(
      "li.hold",
      {},
      el("div", {}, subject, el("time.quiet", {}, time(hold.placed_at_us))),
      el("p", {}, hold.reason),
      el("p.quiet", {}, ...told, traceButton(hold.hold_id, "trace the hold")),
    );
  });
}

function renderLegalHolds(holds) {
  keyed(byId("legal-holds"), holds, (hold) => hold.legal_hold_id, (hold) =>
    el(
      "li.hold",
      {},
      el(
        "div",
        {},
        el("b", {}, "legal hold ", ...hold.subject_ids.flatMap((id) => [traceButton(id), " "])),
        el("time.quiet", {}, time(hold.placed_at_us)),
      ),
      el("p", {}, `${hold.reason} (${hold.placed_by}, ${hold.legal_hold_id})`),
    ));
}

function renderDeliveries(deliveries) {
  keyed(byId("deliveries"), deliveries, (peer) => peer.peer, (peer) =>
    el(
      peer.lost.length > 0 ? "tr.lost" : "tr",
      {},
      el("th", { scope: "row" }, peer.peer.toUpperCase(), peer.lost.length > 0 ? el("span.chip.warn", {}, "lost") : ""),
      ...[peer.intended, peer.confirmed, peer.pending].map((count) => el("td", {}, number(count))),
      el(peer.refused > 0 ? "td.bad-text" : "td", {}, number(peer.refused)),
    ));
  const skipping = deliveries.filter((peer) => peer.skipped > 0);
  const notes = skipping.map((peer) => `${peer.peer.toUpperCase()}: ${number(peer.skipped)} skipped by a person`);
  keyed(byId("lost"), notes, (note) => note, (note) => el("li.quiet", {}, note));
}

function renderBalance(balance) {
  const late = overdue(balance);
  const wrongs = [
    [late, "without verdict or named gap"],
    [balance.unrecorded, "numbers that no record names"],
    [balance.repeated, "second records"],
  ].filter(([count]) => count > 0);
  const chip = byId("balance-state");
  const isWrong = wrongs.length > 0;
  setText(chip, isWrong ? "out of balance" : balance.open > 0 ? `${number(balance.open)} in work` : "balanced");
  chip.className = `chip ${isWrong ? "bad" : "good"}`;
  const frames = balance.frames_missed > 0 ? ` (${number(balance.frames_missed)} without picture)` : "";
  setText(
    byId("balance"),
    `${number(balance.triggers)} triggers = ${number(balance.frames)} frames${frames}` +
      ` = ${number(balance.verdicts)} verdicts + ${number(balance.gaps)} gaps` +
      (balance.open > 0 ? ` + ${number(balance.open)} open` : ""),
  );
  const notes = wrongs.map(([count, what]) => `${number(count)} ${what}`);
  if (isWrong) notes.push(...balance.named.slice(0, 5));
  keyed(byId("balance-named"), notes, (note) => note, (note) => el("li", {}, note));
}

function renderLatencies(latencies) {
  const rows = [
    ["Trigger to verdict", latencies.trigger_to_verdict],
    ["Verdict to MES hold", latencies.verdict_to_mes_hold],
    ["Verdict to ERP block", latencies.verdict_to_erp_block],
    ["Verdict to this page's data", latencies.verdict_to_projected],
  ];
  keyed(byId("latencies"), rows, ([name]) => name, ([name, latency]) =>
    el(
      "tr",
      { title: latency ? `${number(latency.count)} measured, at most ${milliseconds(latency.max_us)}` : "none yet" },
      el("th", { scope: "row" }, name),
      el("td", {}, milliseconds(latency?.p50_us)),
      el("td", {}, milliseconds(latency?.p99_us)),
    ));
}

function renderOrders(orders) {
  const ranks = { running: 0, released: 1, unreleased: 2, completed: 3 };
  const sorted = [...orders].sort((a, b) => (ranks[a.state] ?? 4) - (ranks[b.state] ?? 4)).slice(0, 8);
  const table = byId("orders");
  keyed(table, sorted, (order) => order.order_id, (order) =>
    el(
      "tr",
      {},
      el("th", { scope: "row" }, traceButton(order.order_id)),
      el("td", {}, order.state),
      el("td", {}, `${number(order.counts.accepted)} of ${number(order.target_quantity)}`),
    ));
}

byId("search").addEventListener("submit", (event) => {
  event.preventDefault();
  const id = byId("search-id").value.trim();
  if (id) openTrace(id);
});
startTrace();
poll();
