// Upload in pieces, resumed where it broke off, and recording that is saved while it runs. Talks to apps/common/ui/transfer.py.
const PIECE = 4 * 1024 * 1024;
const RETRY_MS = [500, 1000, 2000, 4000, 8000];
const instances = new WeakMap();

export default function (component) {
  const root = component.parentElement;
  let drop = instances.get(root);
  if (!drop) instances.set(root, (drop = new Drop(root)));
  drop.update(component);
}

const wait = (ms) => new Promise((done) => setTimeout(done, ms));
const mmss = (s) => `${String(Math.floor(s / 60)).padStart(2, "0")}:${String(Math.floor(s % 60)).padStart(2, "0")}`;

function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((c) => c != null));
  return node;
}

class Refused extends Error {}

class Drop {
  constructor(root) {
    this.items = new Map();
    this.box = el("div", { className: "drop" });
    (root.querySelector(".mount") ?? root).append(this.box);
  }

  update({ data, setStateValue }) {
    this.data = data;
    this.send = setStateValue;
    if (!this.built) this.build();
    const shown = new Set([...this.items.values()].map((item) => item.id));
    for (const file of data.files) if (!shown.has(file.id)) this.row({ ...file, done: true });
    const known = new Set(data.files.map((f) => f.id));
    for (const [key, item] of this.items) if (item.done && !item.fresh && !known.has(item.id)) this.forget(key);
    for (const item of this.items.values()) item.fresh = item.fresh && !known.has(item.id);
  }

  text(key, values = {}) {
    return (this.data.texts[key] ?? key).replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "");
  }

  build() {
    this.built = true;
    this.input = el("input", { type: "file", multiple: this.data.multiple, accept: this.data.accept, hidden: true });
    this.input.onchange = () => { this.add(this.input.files); this.input.value = ""; };
    this.zone = el("div", { className: this.data.compact ? "zone compact" : "zone", tabIndex: 0, role: "button" });
    this.zone.innerHTML = '<svg viewBox="0 0 24 24" aria-hidden="true"><path d="M12 16V4m0 0 4 4m-4-4L8 8M4 16v3a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1v-3"/></svg>';
    this.zone.append(el("b", { textContent: this.data.label }), el("small", { textContent: this.data.hint }));
    this.zone.setAttribute("aria-label", this.data.label);
    this.zone.onclick = () => this.input.click();
    this.zone.onkeydown = (e) => { if (e.key === "Enter" || e.key === " ") { e.preventDefault(); this.input.click(); } };
    this.zone.ondragover = (e) => { e.preventDefault(); this.zone.classList.add("over"); };
    this.zone.ondragleave = () => this.zone.classList.remove("over");
    this.zone.ondrop = (e) => { e.preventDefault(); this.zone.classList.remove("over"); this.add(e.dataTransfer.files); };
    this.list = el("ul");
    this.box.append(this.input, this.zone);
    if (this.data.record) this.box.append(el("div", { className: "or", textContent: this.text("or") }), (this.rec = el("div", { className: "rec" })));
    this.box.append(this.list);
    if (this.data.record) this.idle();
  }

  add(files) {
    const chosen = this.data.multiple ? [...files] : [...files].slice(0, 1);
    if (!this.data.multiple && chosen.length) for (const key of [...this.items.keys()]) this.forget(key);
    for (const file of chosen) this.upload(this.row({ name: file.name, size: file.size, file }));
  }

  row(item) {
    const key = item.id ?? crypto.randomUUID();
    const bar = el("i");
    const state = el("span", { className: "state", textContent: item.done ? this.size(item.size) : "" });
    const remove = el("button", { type: "button", textContent: "✕", title: this.text("remove") });
    remove.setAttribute("aria-label", this.text("remove"));
    const row = el("li", { className: item.done ? "done" : "" }, el("span", { className: "name", textContent: item.name, title: item.name }), state, remove);
    if (!item.done) row.append(el("div", { className: "bar" }, bar));
    Object.assign(item, { key, row, bar, state });
    remove.onclick = () => { item.stopped = true; if (item.id) this.call(`/${item.id}`, { method: "DELETE" }).catch(() => {}); this.forget(key); this.report(); };
    this.items.set(key, item);
    this.list.append(row);
    return item;
  }

  forget(key) {
    const item = this.items.get(key);
    item.stopped = true;
    item.row.remove();
    this.items.delete(key);
  }

  report() {
    const files = [...this.items.values()].filter((i) => i.done).map(({ id, name, size }) => ({ id, name, size }));
    this.send("files", files);
  }

  size(bytes) {
    return bytes >= 1 << 20 ? `${(bytes / (1 << 20)).toFixed(1)} MB` : `${Math.max(1, bytes >> 10)} KB`;
  }

  async call(path, options = {}) {
    const headers = { "x-kakehashi-page": this.data.language, ...options.headers };
    const answer = await fetch(new URL(`api/uploads${path}`, document.baseURI), { ...options, headers });
    if (answer.status === 409 || answer.status === 204) return answer.status === 409 ? answer.json() : {};
    const type = answer.headers.get("content-type") ?? "";
    const body = type.includes("json") ? await answer.json() : {};
    if (!answer.ok && body.message) throw new Refused([body.message, body.hint].filter(Boolean).join(" "));
    if (!answer.ok) throw new Error(`${answer.status}`);
    return body;
  }

  // A broken connection is tried again for a while; what the server refuses is not.
  async stubborn(action, item) {
    for (let attempt = 0; ; attempt++) {
      try {
        return await action();
      } catch (error) {
        if (error instanceof Refused || item.stopped || attempt >= RETRY_MS.length) throw error;
        item.state.textContent = this.text("reconnecting");
        await wait(RETRY_MS[attempt]);
      }
    }
  }

  begin(item, size, fingerprint) {
    const body = JSON.stringify({ name: item.name, size, purpose: this.data.purpose, fingerprint });
    return this.call("", { method: "POST", body });
  }

  async upload(item) {
    const { file } = item;
    try {
      const begun = await this.stubborn(() => this.begin(item, file.size, `${file.name}|${file.size}|${file.lastModified}`), item);
      item.id = begun.id;
      let offset = begun.offset;
      const started = performance.now(), first = offset;
      while (offset < file.size && !item.stopped) {
        const piece = file.slice(offset, offset + PIECE);
        offset = (await this.stubborn(() => this.call(`/${item.id}?offset=${offset}`, { method: "PATCH", body: piece }), item)).offset;
        this.advance(item, offset, file.size, (performance.now() - started) / 1000, offset - first);
      }
      if (!item.stopped) await this.finish(item);
    } catch (error) {
      this.failed(item, error);
    }
  }

  advance(item, offset, size, seconds, sent) {
    const percent = Math.floor((100 * offset) / size);
    const left = sent ? Math.ceil(((size - offset) * seconds) / sent) : 0;
    item.bar.style.width = `${percent}%`;
    item.state.textContent = left > 2 ? this.text("uploading_left", { percent, left: mmss(left) }) : this.text("uploading", { percent });
  }

  async finish(item) {
    item.state.textContent = this.text("checking");
    const done = await this.stubborn(() => this.call(`/${item.id}`, { method: "POST" }), item);
    Object.assign(item, { done: true, fresh: true, size: done.size });
    item.row.className = "done";
    item.row.querySelector(".bar")?.remove();
    item.state.textContent = `✓ ${this.size(done.size)}`;
    this.report();
  }

  failed(item, error) {
    if (item.stopped) return;
    item.row.className = "failed";
    item.row.querySelector(".bar")?.remove();
    item.state.textContent = this.text("failed");
    item.row.querySelector(".why")?.remove();
    item.row.append(el("span", { className: "why", role: "alert", textContent: error instanceof Refused ? error.message : this.text("offline") }));
    if (error instanceof Refused || !item.file) return;
    const again = el("button", { type: "button", textContent: this.text("retry") });
    again.onclick = () => { again.remove(); item.row.className = ""; item.row.querySelector(".why")?.remove(); this.upload(item); };
    item.row.append(again);
  }

  // --- recording: each piece is on the server's disk a few seconds after it was spoken ---
  idle() {
    const start = el("button", { type: "button" }, el("span", { className: "dot" }), this.text("record"));
    start.onclick = () => this.record();
    this.rec.className = "rec";
    this.rec.replaceChildren(start);
  }

  async record() {
    if (!navigator.mediaDevices) return this.note(this.text("no_microphone_insecure"));
    let stream;
    try {
      stream = await navigator.mediaDevices.getUserMedia({ audio: { channelCount: 1, echoCancellation: false } });
    } catch (error) {
      return this.note(this.text(error.name === "NotAllowedError" ? "no_microphone_allowed" : "no_microphone"));
    }
    const mimeType = ["audio/webm;codecs=opus", "audio/mp4"].find((t) => MediaRecorder.isTypeSupported(t));
    const name = this.text("recording_name", { when: new Date().toLocaleString("sv").replaceAll(":", "-").slice(0, 16) });
    const item = this.row({ name: `${name}.${mimeType.startsWith("audio/webm") ? "webm" : "m4a"}`, size: 0 });
    try {
      item.id = (await this.stubborn(() => this.begin(item, null, ""), item)).id;
    } catch (error) {
      stream.getTracks().forEach((t) => t.stop());
      return this.failed(item, error);
    }
    this.run(new MediaRecorder(stream, { mimeType, audioBitsPerSecond: 48000 }), stream, item);
  }

  run(recorder, stream, item) {
    const queue = [];
    let offset = 0, sending = false, seconds = 0;
    const send = async () => {
      if (sending) return;
      sending = true;
      while (queue.length && !item.stopped) {
        try {
          const answer = await this.call(`/${item.id}?offset=${offset}`, { method: "PATCH", body: queue[0] });
          queue[0] = queue[0].slice(answer.offset - offset); // a piece that broke off halfway goes on from there
          offset = answer.offset;
          if (!queue[0].size) queue.shift();
          item.state.textContent = this.text("saved", { size: this.size(offset) });
        } catch (error) {
          if (error instanceof Refused) { recorder.stop(); this.failed(item, error); break; }
          item.state.textContent = this.text("keeping");
          await wait(2000);
        }
      }
      sending = false;
    };
    const clock = el("span", { className: "clock", textContent: "00:00" });
    const level = el("i");
    const pause = el("button", { type: "button", textContent: this.text("pause") });
    const stop = el("button", { type: "button", textContent: this.text("stop") });
    const timer = setInterval(() => { if (recorder.state === "recording") clock.textContent = mmss((seconds += 0.5)); }, 500);
    const leave = (event) => event.preventDefault();
    addEventListener("beforeunload", leave);
    this.rec.className = "rec recording";
    this.rec.replaceChildren(el("span", {}, el("span", { className: "dot" }), clock), el("span", { className: "meter" }, level), pause, stop);
    const silence = this.meter(stream, level);
    pause.onclick = () => {
      if (recorder.state === "recording") recorder.pause(); else recorder.resume();
      pause.textContent = this.text(recorder.state === "paused" ? "resume" : "pause");
    };
    recorder.ondataavailable = (event) => { if (event.data.size) { queue.push(event.data); send(); } };
    recorder.onstop = async () => {
      clearInterval(timer); silence(); removeEventListener("beforeunload", leave);
      stream.getTracks().forEach((t) => t.stop());
      this.idle();
      while ((queue.length || sending) && !item.stopped) { await wait(200); send(); }
      if (!item.stopped && item.row.className !== "failed") await this.finish(item).catch((error) => this.failed(item, error));
    };
    stop.onclick = () => recorder.stop();
    recorder.start(3000);
  }

  meter(stream, bar) {
    const audio = new AudioContext(), analyser = audio.createAnalyser();
    audio.createMediaStreamSource(stream).connect(analyser);
    const samples = new Float32Array(analyser.fftSize);
    const timer = setInterval(() => {
      analyser.getFloatTimeDomainData(samples);
      const power = Math.sqrt(samples.reduce((sum, x) => sum + x * x, 0) / samples.length);
      bar.style.width = `${Math.min(100, Math.max(0, 100 + 25 * Math.log10(power + 1e-5)))}%`;
    }, 120);
    return () => { clearInterval(timer); audio.close(); };
  }

  note(text) {
    this.box.querySelector(".note")?.remove();
    this.box.append(el("div", { className: "note", role: "alert", textContent: text }));
  }
}
