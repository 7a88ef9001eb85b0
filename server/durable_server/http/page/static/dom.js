// Creates elements and keeps them up to date.
//
// Rule: text always becomes text nodes. No code of the page makes HTML of a string; the document's policy
// forbids it too. Computed sizes are set by properties of `style`, because the policy also forbids style
// attributes.

const SVG = "http://www.w3.org/2000/svg";

/** Creates an element. `on` has listeners, `data` data attributes; false and null are left out. */
export function h(tag, attributes = {}, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** Creates an SVG element. */
export function svg(tag, attributes = {}, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name === "on") {
      for (const [event, listener] of Object.entries(value)) element.addEventListener(event, listener);
    } else if (name === "data") Object.assign(element.dataset, value);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...shown(children));
  return element;
}

function shown(children) {
  return children.flat().filter((it) => it !== null && it !== undefined && it !== false);
}

/** Replaces the children of an element. */
export function fill(element, ...children) {
  element.replaceChildren(...shown(children));
  return element;
}

/** Sets a text only if it has changed, so that a selection in it is kept. */
export function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

/** Sets an attribute only if it has changed; true sets an empty one, false and null remove it. */
export function attribute(element, name, value) {
  const next = value === true ? "" : value === false || value === null ? null : String(value);
  if (element.getAttribute(name) === next) return;
  if (next === null) element.removeAttribute(name);
  else element.setAttribute(name, next);
}

/**
 * Makes the children of `parent` match `items` by key. Existing elements are updated and keep their focus
 * and scroll position; missing ones are created. `create(item)` returns an element, `update(element,
 * item)` brings it up to date.
 */
export function reconcile(parent, items, keyOf, create, update) {
  const old = new Map();
  for (const child of [...parent.children]) old.set(child.dataset.key, child);
  let next = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let element = old.get(key);
    if (element) old.delete(key);
    else {
      element = create(item);
      element.dataset.key = key;
    }
    update(element, item);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const element of old.values()) element.remove();
}
