// Elements. Data only ever becomes text or the value of an attribute that cannot run anything.

export const byId = (id) => document.getElementById(id);

// el("p.warn", {title: "x"}, "text", child): children that are null or "" are left out.
export function el(what, attributes, ...children) {
  const [tag, ...classes] = what.split(".");
  const node = document.createElement(tag);
  node.className = classes.join(" ");
  for (const [name, value] of Object.entries(attributes ?? {})) {
    if (name === "click") node.addEventListener("click", value);
    else node.setAttribute(name, value);
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== ""));
  return node;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

// Makes the children of `parent` those of `items`, in order. A child whose `key` stays is kept, and with it focus and
// scrolling; it is built anew only when its item changed.
export function keyed(parent, items, key, build) {
  const kept = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let before = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const state = JSON.stringify(item);
    let child = kept.get(name);
    if (!child || child.state !== state) {
      const fresh = build(item);
      fresh.dataset.key = name;
      fresh.state = state;
      if (child) {
        const hadFocus = child.contains(document.activeElement);
        if (child === before) before = fresh;
        child.replaceWith(fresh);
        if (hadFocus) (fresh.matches("button") ? fresh : fresh.querySelector("button"))?.focus();
      }
      child = fresh;
    }
    kept.delete(name);
    if (child === before) before = before.nextElementSibling;
    else parent.insertBefore(child, before);
  }
  for (const child of kept.values()) child.remove();
}

// A button that opens the trace of `id`.
export function traceButton(id, text = id, what = "button.link") {
  return el(what, { type: "button", title: `Trace ${id}`, click: () => openTrace(id) }, text);
}

export function openTrace(id) {
  location.hash = `trace/${encodeURIComponent(id)}`;
}
