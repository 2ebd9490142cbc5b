// An amendment as fields, made from the content and its schema; the JSON text stays the truth that is sent.

import { restored, visible } from "../visible.js";

const CHECK_DELAY = 400;
// Longer ones are documents and programs, which are easier to write in letters of one width.
const LONG_TEXT = 100_000;

export function startEditor() {
  const form = document.getElementById("amend-form");
  if (form) new Editor(form).start();
}

class Editor {
  constructor(form) {
    this.form = form;
    this.text = document.getElementById("amend-content");
    this.fields = document.getElementById("amend-fields");
    this.problems = document.getElementById("amend-problems");
    this.schema = JSON.parse(document.getElementById("editor-schema").textContent);
    // The arguments of a call: only what the person changes is changed.
    this.isExact = "exact" in form.dataset;
    this.unfolded = new Set();
    this.number = 0;
    this.round = 0;
  }

  start() {
    document.getElementById("amend-modes").hidden = false;
    for (const button of this.form.querySelectorAll("[data-mode]")) {
      button.addEventListener("click", () => this.show(button.dataset.mode));
    }
    this.text.addEventListener("input", () => this.checkSoon());
    this.show("fields");
  }

  show(mode) {
    if (mode === "fields" && !this.draw()) return;
    this.fields.hidden = mode !== "fields";
    document.getElementById("amend-text").hidden = mode === "fields";
    for (const button of this.form.querySelectorAll("[data-mode]")) {
      button.setAttribute("aria-pressed", String(button.dataset.mode === mode));
    }
  }

  // False where the text is no JSON: then only the text can be edited.
  draw() {
    try {
      this.content = JSON.parse(this.text.value);
    } catch {
      this.checkSoon();
      document.getElementById("amend-text").hidden = false;
      return false;
    }
    if (!this.isExact) this.content = this.completed(this.schema, this.content);
    this.fields.replaceChildren(this.part(this.schema, this.content, [], "", true));
    return true;
  }

  resolve(schema) {
    let resolved = schema ?? {};
    while (resolved.$ref || resolved.allOf?.length === 1) {
      const target = resolved.$ref
        ? this.schema.$defs[resolved.$ref.split("/").pop()]
        : resolved.allOf[0];
      resolved = { ...target, description: resolved.description ?? target.description };
    }
    return resolved;
  }

  // What the schema wants and the content lacks, as empty fields.
  completed(schema, value) {
    const resolved = this.resolve(schema);
    if (resolved.type !== "object" || !resolved.properties) return value;
    const whole = value && typeof value === "object" ? { ...value } : {};
    for (const [name, inner] of Object.entries(resolved.properties)) {
      whole[name] ??= this.empty(inner);
    }
    return whole;
  }

  empty(schema) {
    const resolved = this.resolve(schema);
    if (resolved.default !== undefined) return structuredClone(resolved.default);
    if (resolved.enum) return resolved.enum[0];
    if (resolved.const !== undefined) return resolved.const;
    if (resolved.type === "object") return this.completed(resolved, {});
    return { array: [], integer: 0, boolean: false }[resolved.type] ?? "";
  }

  set(path, value) {
    let place = this.content;
    for (const key of path.slice(0, -1)) place = place[key];
    place[path.at(-1)] = value;
    this.write();
  }

  write() {
    this.text.value = JSON.stringify(this.content, null, 2);
    this.checkSoon();
  }

  redraw() {
    this.write();
    this.draw();
  }

  part(schema, value, path, name, isRoot = false) {
    const resolved = this.resolve(schema);
    if (Array.isArray(value)) return this.list(resolved, value, path, name);
    if (value && typeof value === "object") return this.group(resolved, value, path, name, isRoot);
    return this.leaf(resolved, value, path, name);
  }

  group(schema, value, path, name, isRoot) {
    const group = document.createElement(isRoot ? "div" : "fieldset");
    if (!isRoot && name) group.append(element("legend", readable(name)));
    // In the order of the schema; the database keeps none.
    const known = Object.keys(schema.properties ?? {}).filter((key) => key in value);
    const others = Object.keys(value).filter((key) => !known.includes(key));
    for (const key of [...known, ...others]) {
      group.append(this.part(schema.properties?.[key], value[key], [...path, key], key));
    }
    for (const key of Object.keys(this.isExact ? (schema.properties ?? {}) : {})) {
      if (Object.hasOwn(value, key)) continue;
      group.append(
        this.button(`Add ${readable(key)}`, () => {
          this.at(path)[key] = this.empty(schema.properties[key]);
        }),
      );
    }
    return group;
  }

  list(schema, value, path, name) {
    const group = document.createElement("fieldset");
    group.append(element("legend", `${readable(name)} (${value.length})`));
    if (schema.description) group.append(element("p", schema.description, "hint"));
    value.forEach((item, index) => group.append(this.item(schema, item, path, name, index)));
    group.append(
      this.button(`Add to ${readable(name)}`, () => value.push(this.next(schema.items, value))),
    );
    return group;
  }

  // Without a schema, of the kind of the last one.
  next(schema, list) {
    const kind = typeof list.at(-1);
    if (schema || !["number", "boolean"].includes(kind)) return this.empty(schema);
    return kind === "number" ? 0 : false;
  }

  // An object folds, so that a long list can be overlooked.
  item(schema, item, path, name, index) {
    const title = `${readable(name)} ${index + 1}`;
    const isObject = item && typeof item === "object";
    const place = element(isObject ? "details" : "div", "", "item");
    place.id = `amend-${[...path, index].join("-")}`;
    if (isObject) {
      const hint = Object.values(item).find((text) => typeof text === "string" && text.length < 200);
      place.append(element("summary", hint ? `${title}: ${hint}` : title));
      place.open = this.unfolded.has(place.id);
      place.addEventListener("toggle", () =>
        this.unfolded[place.open ? "add" : "delete"](place.id),
      );
    }
    place.append(this.part(schema.items, item, [...path, index], isObject ? "" : title));
    const list = this.at(path);
    place.append(this.button(`Remove ${title}`, () => list.splice(index, 1)));
    return place;
  }

  at(path) {
    return path.reduce((place, key) => place[key], this.content);
  }

  button(text, act) {
    const button = element("button", text, "plain");
    button.type = "button";
    button.addEventListener("click", () => {
      act();
      this.redraw();
    });
    return button;
  }

  leaf(schema, value, path, name) {
    const part = element("div", "", "part");
    const label = element("label", readable(name));
    const field = this.input(schema, value);
    this.number += 1;
    field.id = `amend-field-${this.number}`;
    field.dataset.path = path.join(".");
    label.htmlFor = field.id;
    part.append(label);
    if (schema.description) part.append(element("span", schema.description, "hint"));
    part.append(field);
    field.addEventListener("input", () => {
      if (field.type === "number" && field.value === "") return this.refuse(field);
      return this.set(path, read(field, value));
    });
    return part;
  }

  // What is no number is never taken for zero.
  refuse(field) {
    clearTimeout(this.timer);
    this.round += 1;
    this.mark(field, "Write a number.");
    document.getElementById("amend-send").disabled = true;
  }

  input(schema, value) {
    if (schema.enum) {
      const select = document.createElement("select");
      select.choices = schema.enum.includes(value) ? schema.enum : [value, ...schema.enum];
      select.append(
        ...select.choices.map((one) => new Option(one, one, false, one === value)),
      );
      return select;
    }
    if (typeof value === "boolean" || typeof value === "number") {
      const field = document.createElement("input");
      field.type = typeof value === "boolean" ? "checkbox" : "number";
      if (field.type === "number") field.step = "any";
      if (field.type === "checkbox") field.checked = value;
      else field.value = value;
      return field;
    }
    const isLong = String(value ?? "").length > 80 || (schema.maxLength ?? 0) > 1000;
    const field = document.createElement(isLong ? "textarea" : "input");
    const text = visible(String(value ?? ""));
    if (isLong) field.rows = Math.min(24, Math.max(2, text.length / 70, text.split("\n").length));
    else field.type = "text";
    if ((schema.maxLength ?? 0) > LONG_TEXT) field.className = "code";
    field.value = text;
    field.readOnly = schema.const !== undefined;
    return field;
  }

  checkSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.check(), CHECK_DELAY);
  }

  // Only the answer to the newest check counts.
  async check() {
    this.round += 1;
    const round = this.round;
    const token = this.form.querySelector("[name=csrfmiddlewaretoken]").value;
    const answer = await fetch(this.form.dataset.check, {
      method: "POST",
      headers: { "X-CSRFToken": token },
      body: new URLSearchParams({ content: this.text.value }),
    }).catch(() => null);
    if (!answer?.ok || round !== this.round) return;
    this.report(await answer.json());
  }

  // The problem is shown at its field, too.
  mark(field, detail) {
    const id = `${field.id}-problem`;
    document.getElementById(id)?.remove();
    field.setAttribute("aria-invalid", String(Boolean(detail)));
    field.removeAttribute("aria-describedby");
    if (!detail) return;
    const note = element("p", detail, "problem");
    note.id = id;
    field.setAttribute("aria-describedby", id);
    field.after(note);
    for (let fold = field.closest("details"); fold; fold = fold.parentElement.closest("details")) {
      fold.open = true;
    }
  }

  report({ is_valid: isValid, errors }) {
    const lines = errors.map((error) => element("p", `${placed(error.field)}: ${error.detail}`, "problem"));
    this.problems.replaceChildren(...(isValid ? [element("p", "This is valid.", "quiet")] : lines));
    this.text.setAttribute("aria-invalid", String(!isValid));
    const wrong = new Map(errors.map((error) => [error.field.replace(/^content\.?/, ""), error.detail]));
    for (const field of this.fields.querySelectorAll("[data-path]")) {
      this.mark(field, wrong.get(field.dataset.path));
    }
    document.getElementById("amend-send").disabled = !isValid;
  }
}

function element(tag, text, className = "") {
  const node = document.createElement(tag);
  node.textContent = visible(text);
  if (className) node.className = className;
  return node;
}

function readable(name) {
  return String(name).replaceAll("_", " ");
}

// `content.requirements.0.statement` as the fields are called: `requirements 1, statement`.
function placed(path) {
  const names = [];
  for (const part of path.replace(/^content\.?/, "").split(".")) {
    if (/^\d+$/.test(part) && names.length) names[names.length - 1] += ` ${Number(part) + 1}`;
    else names.push(readable(part));
  }
  return names.join(", ") || "the content";
}

function read(field, before) {
  if (field.choices) return field.choices[field.selectedIndex];
  if (field.type === "checkbox") return field.checked;
  return typeof before === "number" ? Number(field.value) : restored(field.value, before);
}
