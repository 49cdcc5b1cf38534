// The audio bar at the foot of the page. Others on the page talk to it by events on window:
//   kakehashi:play {start, end}  play a passage     kakehashi:time {time}  where it is (sent by this one)
const instances = new WeakMap();
const PLAY = "M8 5v14l11-7z", PAUSE = "M7 5h4v14H7zM13 5h4v14h-4z";

export default function (component) {
  const root = component.parentElement;
  let player = instances.get(root);
  if (!player) instances.set(root, (player = new Player(root)));
  player.update(component.data);
  return () => player.close();
}

const clock = (s) => {
  const t = Math.floor(s || 0), h = Math.floor(t / 3600), two = (n) => String(n).padStart(2, "0");
  return h ? `${h}:${two(Math.floor((t % 3600) / 60))}:${two(t % 60)}` : `${two(Math.floor(t / 60))}:${two(t % 60)}`;
};

function el(tag, props = {}, ...children) {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children);
  return node;
}

class Player {
  constructor(root) {
    this.root = root;
    this.onPlay = (event) => this.play(event.detail);
    this.onKey = (event) => this.key(event);
  }

  update(data) {
    this.data = data;
    if (!this.box) this.build();
    addEventListener("kakehashi:play", this.onPlay);
    addEventListener("keydown", this.onKey);
    if (this.src !== data.src) {
      this.src = data.src;
      this.audio.src = new URL(data.src, document.baseURI);
    }
  }

  close() {
    removeEventListener("kakehashi:play", this.onPlay);
    removeEventListener("keydown", this.onKey);
    this.audio.pause();
  }

  build() {
    const t = this.data.texts;
    this.audio = el("audio", { preload: "metadata" });
    this.icon = document.createElementNS("http://www.w3.org/2000/svg", "path");
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 24 24");
    svg.append(this.icon);
    this.button = el("button", { type: "button", className: "play" }, svg);
    const back = el("button", { type: "button", className: "back", textContent: "−5", title: t.back });
    const ahead = el("button", { type: "button", className: "ahead", textContent: "+5", title: t.ahead });
    this.time = el("span", { className: "time" });
    this.seek = el("input", { type: "range", min: 0, step: 0.1, value: 0 });
    this.seek.setAttribute("aria-label", t.position);
    this.speed = el("button", { type: "button", textContent: "1.0×", title: t.speed });
    this.line = el("span", { className: "line" });
    this.box = el("div", { className: "player" }, this.button, back, ahead, this.time, this.seek, this.speed, this.line, this.audio);
    this.box.setAttribute("role", "region");
    this.box.setAttribute("aria-label", t.player);
    this.button.onclick = () => this.toggle();
    back.onclick = () => this.skip(-5);
    ahead.onclick = () => this.skip(5);
    this.seek.oninput = () => { this.stopAt = null; this.audio.currentTime = Number(this.seek.value); };
    this.speed.onclick = () => this.faster();
    for (const name of ["play", "pause", "timeupdate", "loadedmetadata", "seeked"]) this.audio.addEventListener(name, () => this.show());
    this.audio.onerror = () => { this.line.className = "line problem"; this.line.textContent = t.cannot_play; };
    (this.root.querySelector(".mount") ?? this.root).append(this.box);
    this.main = document.querySelector('[data-testid="stMain"]');
    if (this.main) new ResizeObserver(() => this.place()).observe(this.main);
    this.show();
  }

  // Beside the sidebar, not under it.
  place() {
    const { left, width } = this.main.getBoundingClientRect();
    Object.assign(this.box.style, { left: `${left}px`, width: `${width}px`, right: "auto" });
  }

  show() {
    const { currentTime, duration, paused } = this.audio;
    this.icon.setAttribute("d", paused ? PLAY : PAUSE);
    const name = paused ? this.data.texts.play : this.data.texts.pause;
    this.button.title = name;
    this.button.setAttribute("aria-label", name);
    this.time.textContent = `${clock(currentTime)} / ${clock(isFinite(duration) ? duration : this.data.duration)}`;
    this.seek.max = isFinite(duration) ? duration : this.data.duration;
    this.seek.value = currentTime;
    const line = this.data.lines.findLast((l) => l.start <= currentTime + 0.05);
    if (!this.audio.error) this.line.textContent = line && currentTime < line.end + 1 ? `${line.speaker}: ${line.text}` : "";
    if (this.stopAt && currentTime >= this.stopAt && !paused) { this.stopAt = null; this.audio.pause(); }
    dispatchEvent(new CustomEvent("kakehashi:time", { detail: { time: currentTime, playing: !paused } }));
  }

  play({ start, end }) {
    this.stopAt = end ?? null;
    this.audio.currentTime = start;
    this.audio.play();
  }

  toggle() {
    this.stopAt = null;
    if (this.audio.paused) this.audio.play(); else this.audio.pause();
  }

  skip(seconds) {
    this.stopAt = null;
    this.audio.currentTime = Math.max(0, this.audio.currentTime + seconds);
  }

  faster() {
    const speeds = [1, 1.25, 1.5, 2, 0.75];
    this.audio.playbackRate = speeds[(speeds.indexOf(this.audio.playbackRate) + 1) % speeds.length];
    this.speed.textContent = `${this.audio.playbackRate.toFixed(this.audio.playbackRate % 0.5 ? 2 : 1)}×`;
  }

  // Ctrl+Space, Ctrl+←, Ctrl+→: never what somebody types into a field.
  key(event) {
    if (!event.ctrlKey || event.altKey || event.metaKey) return;
    const action = { Space: () => this.toggle(), ArrowLeft: () => this.skip(-5), ArrowRight: () => this.skip(5) }[event.code];
    const typing = event.composedPath()[0].matches?.("input, textarea, [contenteditable]");
    if (!action || (typing && event.code !== "Space")) return;
    event.preventDefault();
    action();
  }
}
