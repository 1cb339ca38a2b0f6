// The trace of one thing, in both directions, with what it cannot prove.
import { byId, el, traceButton } from "/dom.js";
import { figure, partButton } from "/parts.js";
import { number, percent, short, time, words } from "/words.js";

const nodesShown = 500;
const patienceMs = 8000;
const pathPrefix = "#trace/";

export function startTrace() {
  const dialog = byId("trace");
  window.addEventListener("hashchange", follow);
  byId("trace-close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("close", () => {
    if (location.hash.startsWith(pathPrefix)) history.pushState(null, "", location.pathname);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) dialog.close();
  });
  follow();
}

let asked = 0;

async function follow() {
  const dialog = byId("trace");
  const turn = ++asked;
  if (!location.hash.startsWith(pathPrefix)) return dialog.close();
  const id = decode(location.hash.slice(pathPrefix.length));
  byId("trace-title").replaceChildren("Trace ", el("b", {}, id));
  byId("trace-body").replaceChildren(el("p.quiet", {}, "Asking …"));
  if (!dialog.open) dialog.showModal();
  let content;
  try {
    content = await ask(id);
  } catch (error) {
    content = [el("p.banner.bad", { role: "alert" }, `${error.message}`)];
  }
  if (turn !== asked) return;
  byId("trace-body").replaceChildren(...content);
  dialog.scrollTop = 0;
}

function decode(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

async function ask(id) {
  const signal = AbortSignal.timeout(patienceMs);
  const answer = await fetch(`/v1/trace/${encodeURIComponent(id)}`, { signal }).catch(() => {
    throw new Error("The console does not answer; try again when the line's data is live.");
  });
  if (answer.status === 404) throw new Error(`Nothing with the id ${id} is known. Check its spelling, capitals too.`);
  const body = await answer.json().catch(() => null);
  if (!answer.ok) throw new Error(body?.error?.message ?? body?.error ?? `The console answered ${answer.status}.`);
  return sections(body);
}

function sections(trace) {
  byId("trace-title").replaceChildren(`${words(trace.kind)} `, el("b", {}, trace.id));
  const [root] = trace.made_from;
  return [
    trace.also_kinds.length > 0 ? el("p.quiet", {}, `Also: ${trace.also_kinds.map(words).join(", ")}`) : "",
    root ? factList(root.facts) : "",
    unproven(trace.unproven),
    trace.kind === "part" ? el("div.pair", {}, ...trace.parts.map(figure)) : "",
    part("Made from", tree(trace.made_from)),
    part("Went to", tree(trace.went_to)),
    part(`Holds (${trace.holds.length})`, holds(trace.holds)),
    trace.legal_holds.length > 0 ? part("Legal holds", legalHolds(trace.legal_holds)) : "",
    trace.deliveries.length > 0 ? part("Told to other systems", deliveries(trace.deliveries)) : "",
    part(`Parts (${number(trace.part_count)})`, ...parts(trace)),
    part("Judged by recipe", recipes(trace.recipes)),
  ].filter((section) => section !== "");
}

const part = (title, ...content) => el("section", {}, el("h3", {}, title), ...content);
const none = () => el("p.quiet", {}, "None recorded.");

function factList(facts) {
  const entries = Object.entries(facts).sort();
  if (entries.length === 0) return "";
  return el("dl.facts", {}, ...entries.map(([name, value]) => fact(factName(name), factText(name, value))));
}

const fact = (name, value) => el("div", {}, el("dt", {}, name), el("dd", {}, value));

const factName = (name) => words(name.replace(/_us$/, ""));

function factText(name, value) {
  if (name.endsWith("_sha256")) return short(value);
  return name.endsWith("_at_us") ? time(Number(value)) : value;
}

function unproven(statements) {
  if (statements.length === 0) {
    return el("p.proven", {}, "Complete as far as the log goes: nothing in this trace is unproven.");
  }
  return el(
    "div.unproven",
    {},
    el("h3", {}, `Not proven (${statements.length})`),
    el("ul", {}, ...statements.map((statement) => el("li", {}, statement))),
  );
}

// Nested lists: a node belongs to the nearest earlier one of the depth before.
function tree(nodes) {
  if (nodes.length < 2) return none();
  const root = el("ul.tree", {});
  const lists = [root];
  for (const node of nodes.slice(1, nodesShown + 1)) {
    const facts = Object.entries(node.facts).map(([name, value]) => `${factName(name)} ${factText(name, value)}`);
    const below = el("ul", {});
    const item = el(
      "li",
      {},
      el("span.kind", {}, words(node.kind)),
      " ",
      traceButton(node.id),
      facts.length > 0 ? el("span.quiet", {}, ` ${facts.join(", ")}`) : "",
      node.is_repeated ? el("span.quiet", {}, " (see above)") : "",
      below,
    );
    (lists[node.depth - 1] ?? root).append(item);
    lists.length = node.depth;
    lists.push(below);
  }
  for (const list of root.querySelectorAll("ul:empty")) list.remove();
  if (nodes.length > nodesShown + 1) root.append(el("li", {}, `and ${number(nodes.length - nodesShown - 1)} more`));
  return root;
}

function holds(list) {
  if (list.length === 0) return none();
  return el(
    "ul.plain",
    {},
    ...list.map((hold) =>
      el(
        "li",
        {},
        el(hold.is_open ? "b.bad-text" : "b", {}, hold.is_open ? "open" : "closed"),
        ` ${words(hold.subject_kind)} `,
        traceButton(hold.subject_id),
        `: ${hold.reason} (${time(hold.placed_at_us)}) `,
        traceButton(hold.hold_id, "hold"),
      ),
    ),
  );
}

function legalHolds(list) {
  return el(
    "ul.plain",
    {},
    ...list.map((hold) => {
      const lifted = hold.lifted_at_us ? `, lifted by ${hold.lifted_by} (${time(hold.lifted_at_us)})` : "";
      const text = ` ${hold.legal_hold_id} on ${hold.subject_ids.join(", ")}: ${hold.reason}, by ${hold.placed_by}`;
      return el("li", {}, el("b", {}, lifted ? "lifted" : "stands"), `${text} (${time(hold.placed_at_us)})${lifted}`);
    }),
  );
}

function deliveries(list) {
  return el(
    "ul.plain",
    {},
    ...list.map((delivery) =>
      el(
        "li",
        {},
        `${delivery.peer}: ${words(delivery.effect)} `,
        el(delivery.state === "refused" ? "b.bad-text" : "b", {}, delivery.state),
        delivery.answer ? ` (${delivery.answer})` : "",
        delivery.outcome_at_us ? `, ${time(delivery.outcome_at_us)}` : "",
      ),
    ),
  );
}

function parts(trace) {
  if (trace.parts.length === 0) return [none()];
  const counts = trace.counts;
  const outcomes = ["accepted", "rejected", "uncertain", "missed"].map((name) => `${number(counts[name])} ${name}`);
  if (counts.first_pass_yield !== undefined) outcomes.push(`first-pass yield ${percent(counts.first_pass_yield)}`);
  const left = trace.part_count - trace.parts.length;
  return [
    el("p", {}, outcomes.join(", ")),
    el("ol.strip", {}, ...trace.parts.map((one) => el("li", {}, partButton(one)))),
    left > 0 ? el("p.quiet", {}, `and ${number(left)} more`) : "",
  ].filter((node) => node !== "");
}

function recipes(hashes) {
  if (hashes.length === 0) return none();
  return el("ul.plain", {}, ...hashes.map((hash) => el("li.hash", {}, hash)));
}
