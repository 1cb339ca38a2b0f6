// Parts: their marks, the strip of the last ones, and a part's picture with its defects.
import { byId, el, keyed, openTrace, traceButton } from "/dom.js";
import { time, words } from "/words.js";

const verdicts = {
  pass: ["P", "accepted"],
  fail: ["F", "rejected"],
  uncertain: ["?", "uncertain"],
  missed: ["M", "missed, no verdict"],
};
const labelsShown = 6;

const verdict = (name) => verdicts[name] ?? ["U", "unknown verdict"];

// A verdict by shape, letter and colour.
export function mark(name) {
  const [letter, word] = verdict(name);
  const shown = verdicts[name] ? name : "unknown";
  return el("span.mark", {}, el(`span.shape.${shown}`, { role: "img", "aria-label": word }, letter));
}

export function partButton(part) {
  const [, word] = verdict(part.verdict);
  const why = part.reason ? `: ${part.reason}` : "";
  return el(
    "button.part",
    {
      type: "button",
      title: `${part.part_id}, ${word}${why}, ${time(part.triggered_at_us)}`,
      "aria-label": `${part.part_id}, ${word}${why}`,
      click: () => openTrace(part.part_id),
    },
    mark(part.verdict),
  );
}

export function renderStrip(parts) {
  keyed(byId("strip"), parts, (part) => part.trigger, (part) => el("li", {}, partButton(part)));
  const legend = byId("legend");
  if (!legend.childElementCount) {
    for (const [name, [, word]] of Object.entries(verdicts)) legend.append(el("span", {}, mark(name), ` ${word}`));
  }
}

// The newest part, and the newest that was not accepted; a part whose picture is still being kept gives way to one
// that has it.
export function renderPictures(parts) {
  const first = (list) => list.find((part) => part.evidence || part.verdict === "missed") ?? list[0];
  show(byId("latest"), first(parts), "No part yet.");
  show(byId("suspect"), first(parts.filter((part) => part.verdict !== "pass")), "None among the last parts.");
}

function show(place, part, nothing) {
  const state = JSON.stringify(part ?? null);
  if (place.state === state) return;
  place.state = state;
  if (!part) return place.replaceChildren(el("p.empty", {}, nothing));
  const next = figure(part);
  const picture = next.querySelector("img");
  const swap = () => {
    if (place.state === state) place.replaceChildren(next);
  };
  // The old picture stays until the new one can be drawn.
  picture ? picture.decode().then(swap, swap) : swap();
}

export function figure(part) {
  const node = el(
    "figure",
    {},
    part.evidence?.stored ? picture(part) : el("p.no-picture", {}, whyNoPicture(part)),
    el(
      "figcaption",
      {},
      mark(part.verdict),
      el("div", {}, traceButton(part.part_id), el("p", {}, time(part.triggered_at_us)), el("p", {}, part.sku)),
    ),
  );
  if (part.reason) node.append(el("p.reason", {}, part.reason));
  if (part.reject_not_commanded) node.append(el("p.reason.bad-text", {}, `Not rejected: ${part.reject_not_commanded}`));
  if (part.defects.length > 0) {
    const shown = byScore(part.defects).slice(0, labelsShown);
    node.append(
      el(
        "ul.defects",
        { title: "Score: 1.00 is the recipe's limit" },
        ...shown.map((defect) =>
          el(
            "li",
            { title: defect.tool ? `found by ${defect.tool}` : "" },
            el(defect.severity === "critical" ? "b.bad-text" : "b", {}, words(defect.category)),
            ` ${[defect.score.toFixed(2), defect.severity].filter(Boolean).join(", ")}`,
          )),
        part.defects.length > shown.length ? el("li", {}, `${part.defects.length - shown.length} more`) : null,
      ),
    );
  } else if (part.verdict !== "missed") {
    node.append(el("p.quiet", {}, `No defect; score ${part.score.toFixed(2)} of limit 1`));
  }
  return node;
}

function whyNoPicture(part) {
  if (part.evidence) return `Picture not kept: ${part.evidence.reason || "no reason recorded"}`;
  return part.verdict === "missed" ? "No picture: the part was missed." : "The picture is not recorded as kept yet.";
}

const byScore = (defects) => [...defects].sort((a, b) => b.score - a.score);

function picture(part) {
  const image = el("img", { alt: `Judged picture of part ${part.part_id}`, draggable: "false" });
  const frame = el("div.picture", {}, image);
  image.addEventListener("load", () => drawDefects(frame, image, part.defects));
  image.addEventListener("error", () => {
    frame.replaceChildren(el("p.no-picture", {}, "The picture is not on this machine, or cannot be read."));
  });
  image.src = `/evidence/${part.evidence.pixels_sha256}`;
  return frame;
}

// Boxes in pixels of the judged picture, over the picture at whatever size it is shown.
function drawDefects(frame, image, defects) {
  const { naturalWidth: width, naturalHeight: height } = image;
  const namespace = "http://www.w3.org/2000/svg";
  const svg = document.createElementNS(namespace, "svg");
  svg.setAttribute("viewBox", `0 0 ${width} ${height}`);
  svg.setAttribute("aria-hidden", "true");
  const margin = width / 60;
  const overlay = [svg];
  for (const [index, defect] of byScore(defects).entries()) {
    for (const kind of ["under", "over"]) {
      const box = document.createElementNS(namespace, "rect");
      box.setAttribute("class", kind);
      box.setAttribute("x", defect.x - margin);
      box.setAttribute("y", defect.y - margin);
      box.setAttribute("width", defect.width + 2 * margin);
      box.setAttribute("height", defect.height + 2 * margin);
      svg.append(box);
    }
    if (index >= labelsShown) continue;
    const label = el("span.label", {}, `${words(defect.category)} ${defect.score.toFixed(2)}`);
    const isLow = defect.y > height / 8;
    const isRight = defect.x + defect.width / 2 > width / 2;
    if (isRight) label.style.right = `${100 - (100 * (defect.x + defect.width + margin)) / width}%`;
    else label.style.left = `${(100 * (defect.x - margin)) / width}%`;
    if (isLow) label.style.bottom = `${100 - (100 * (defect.y - margin)) / height}%`;
    else label.style.top = `${(100 * (defect.y + defect.height + margin)) / height}%`;
    overlay.push(label);
  }
  frame.append(...overlay);
}

