// Lines of a transcript: click one to hear it. As the whole transcript (find, edit, follow) or as the evidence of an item.
const instances = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  let lines = instances.get(root);
  if (!lines) instances.set(root, (lines = new Lines(root)));
  lines.update(component);
  return () => lines.close();
}

const clock = (s) => {
  const t = Math.floor(s), h = Math.floor(t / 3600), two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(Math.floor((t % 3600) / 60))}:${two(t % 60)}` : `${two(Math.floor(t / 60))}:${two(t % 60)}`;
};
// Full and half width, capital and small letters are the same when looking for something.
const fold = (text) => text.normalize("NFKC").toLowerCase();

function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((c) => c != null));
  return node;
}

class Lines {
  constructor(root) {
    this.rows = new Map();
    this.box = el("div", { className: "lines" });
    this.scroll = el("div", { className: "scroll" });
    (root.querySelector(".mount") ?? root).append(this.box);
    this.onTime = (event) => this.follow(event.detail);
  }

  update({ data, setTriggerValue }) {
    this.data = data;
    this.send = setTriggerValue;
    if (!this.built) this.build();
    addEventListener("kakehashi:time", this.onTime);
    const wanted = new Set(data.lines.map((l) => l.id));
    for (const [id, row] of this.rows) if (!wanted.has(id)) { row.node.remove(); this.rows.delete(id); }
    for (const line of data.lines) this.show(line);
  }

  close() {
    removeEventListener("kakehashi:time", this.onTime);
  }

  build() {
    this.built = true;
    if (this.data.editable) this.box.append(this.finder());
    else this.box.classList.add("evidence");
    this.box.append(this.scroll);
  }

  show(line) {
    const known = this.rows.get(line.id);
    if (known && JSON.stringify(known.line) === JSON.stringify(line)) return;
    const node = this.row(line);
    if (known) known.node.replaceWith(node); else this.scroll.append(node);
    this.rows.set(line.id, { line, node });
    if (this.query) this.find(this.query);
  }

  row(line) {
    const t = this.data.texts;
    const text = el("span", { className: "text", textContent: line.text });
    for (const mark of line.marks) text.append(el("span", { className: `mark ${mark.warn ? "warn" : ""}`, textContent: mark.label, title: mark.title ?? "" }));
    const node = el("div", { className: "line", tabIndex: 0, title: t.hear },
      el("span", { className: "at", textContent: `▶ ${clock(line.start)}` }), el("span", { className: "who", textContent: line.speaker, title: line.speaker }), text);
    node.dataset.id = line.id;
    node.setAttribute("role", "button");
    node.onclick = () => this.hear(line);
    node.onkeydown = (e) => {
      if (e.target !== node) return;
      if (e.key === "Enter") { e.preventDefault(); this.hear(line); }
      if (e.key === "e" && this.data.editable) { e.preventDefault(); this.edit(line); }
      if (e.key === "ArrowDown") { e.preventDefault(); node.nextElementSibling?.focus(); }
      if (e.key === "ArrowUp") { e.preventDefault(); node.previousElementSibling?.focus(); }
    };
    if (this.data.editable) {
      const edit = el("button", { type: "button", className: "edit", textContent: t.edit });
      edit.onclick = (e) => { e.stopPropagation(); this.edit(line); };
      node.ondblclick = () => this.edit(line);
      node.append(edit);
    }
    return node;
  }

  hear(line) {
    if (getSelection().toString()) return; // somebody selects text to copy it
    dispatchEvent(new CustomEvent("kakehashi:play", { detail: { start: line.start, end: this.data.editable ? null : line.end + 0.3 } }));
  }

  follow({ time, playing }) {
    const current = playing ? this.data.lines.findLast((l) => l.start <= time + 0.05) : null;
    const id = current && time <= current.end + 0.5 ? current.id : null;
    if (id === this.current) return;
    this.rows.get(this.current)?.node.classList.remove("now");
    this.current = id;
    const row = this.rows.get(id);
    if (!row) return;
    row.node.classList.add("now");
    const editing = this.box.querySelector("form");
    if (this.data.editable && !editing) this.into(row.node);
  }

  // Only this list moves, never the page.
  into(node) {
    const view = this.scroll.getBoundingClientRect(), place = node.getBoundingClientRect();
    if (place.top < view.top + 40 || place.bottom > view.bottom - 40) this.scroll.scrollTop += place.top - view.top - view.height / 3;
  }

  edit(line) {
    const t = this.data.texts, row = this.rows.get(line.id).node;
    if (row.querySelector("form")) return;
    row.removeAttribute("role");
    const area = el("textarea", { value: line.text, rows: Math.max(2, Math.ceil(line.text.length / 45)) });
    area.setAttribute("aria-label", t.text);
    const who = el("select", {}, ...this.data.speakers.map((s) => el("option", { value: s, textContent: s, selected: s === line.speaker })), el("option", { value: "\u0000", textContent: t.other_speaker }));
    who.setAttribute("aria-label", t.speaker);
    const other = el("input", { hidden: true, placeholder: t.new_speaker, maxLength: 60 });
    who.onchange = () => { other.hidden = who.value !== "\u0000"; if (!other.hidden) other.focus(); };
    const cancel = el("button", { type: "button", textContent: t.cancel });
    const form = el("form", {}, area, el("div", { className: "row" }, who, other, el("button", { type: "submit", textContent: t.save }), cancel),
      line.original ? el("span", { className: "was", textContent: `${t.was} ${line.original}` }) : null);
    form.onclick = form.ondblclick = (e) => e.stopPropagation();
    const close = () => { row.replaceWith(this.rows.get(line.id).node = this.row(line)); this.rows.get(line.id).node.focus(); };
    cancel.onclick = close;
    form.onkeydown = (e) => {
      e.stopPropagation();
      if (e.key === "Escape") close();
      if (e.key === "Enter" && (e.ctrlKey || e.metaKey)) form.requestSubmit();
    };
    form.onsubmit = (e) => {
      e.preventDefault();
      const speaker = who.value === "\u0000" ? other.value.trim() || line.speaker : who.value;
      const text = area.value.trim();
      if (text !== line.text || speaker !== line.speaker) this.send("edit", { id: line.id, text, speaker });
      close();
    };
    row.append(form);
    area.focus();
  }

  finder() {
    const t = this.data.texts;
    const input = el("input", { type: "search", placeholder: t.find });
    input.setAttribute("aria-label", t.find);
    this.count = el("span", { className: "count" });
    const previous = el("button", { type: "button", textContent: "↑", title: t.previous }), next = el("button", { type: "button", textContent: "↓", title: t.next });
    input.oninput = () => this.find(input.value);
    input.onkeydown = (e) => { if (e.key === "Enter") this.step(e.shiftKey ? -1 : 1); };
    previous.onclick = () => this.step(-1);
    next.onclick = () => this.step(1);
    return el("div", { className: "find" }, input, this.count, previous, next);
  }

  find(query) {
    this.query = query;
    const needle = fold(query.trim());
    this.hits = [];
    for (const { line, node } of this.rows.values()) {
      const text = node.querySelector(".text");
      if (node.querySelector("form")) continue;
      const marks = [...text.querySelectorAll(".mark")];
      text.replaceChildren(...this.highlighted(line.text, needle), ...marks);
      this.hits.push(...text.querySelectorAll("mark"));
    }
    this.at = -1;
    this.count.textContent = needle ? `${this.hits.length} ${this.data.texts.hits}` : "";
    if (needle && this.hits.length) this.step(1);
  }

  highlighted(text, needle) {
    // Folding may change a string's length; highlight only where it does not, else the whole line.
    const folded = fold(text);
    if (!needle || !folded.includes(needle)) return [text];
    if (folded.length !== text.length) return [el("mark", { textContent: text })];
    const parts = [];
    for (let from = 0, at; ; from = at + needle.length) {
      at = folded.indexOf(needle, from);
      parts.push(text.slice(from, at < 0 ? undefined : at));
      if (at < 0) return parts;
      parts.push(el("mark", { textContent: text.slice(at, at + needle.length) }));
    }
  }

  step(by) {
    if (!this.hits?.length) return;
    this.hits[this.at]?.classList.remove("here");
    this.at = (this.at + by + this.hits.length) % this.hits.length;
    this.hits[this.at].classList.add("here");
    this.count.textContent = `${this.at + 1} / ${this.hits.length} ${this.data.texts.hits}`;
    this.into(this.hits[this.at].closest(".line"));
  }
}
