// The latent explorer: one code z, and three ways to move it.

const MODES = ["explore", "scale", "mix"];
const WORDS = {
  live: "Live: the kernel decodes every picture.",
  network: "The decoder runs in this page: all latents move freely.",
  stored: "No kernel here. Stored pictures: the plane, or one latent at a time from the start, blended between neighbours.",
};

class LatentPlayer {
  constructor(stored) {
    this.stored = stored;
    this.network = spec.network && new Network(spec.network);
    this.state = { mode: 0, z: this.start(), label: 0, a: 0, b: Math.min(1, spec.points.length - 1), t: 1, spherical: false, track: null };
    this.dims = [...spec.plane.dims];
    this.draws = 0;
    this.drawn = 0; // samples used up
    this.build();
    this.kernel = new Kernel((last) => this.sourceChanged(last));
    this.sourceChanged();
    setInterval(() => this.tellStatus(), 500);
    tellHeight();
  }

  start() { return Float32Array.from(spec.start); }
  get free() { return this.kernel?.live || Boolean(this.network); }
  reach(dim) { return spec.reach * spec.spread[dim]; }
  /** The place of a latent's value on its slider, 0 … 1. */
  place(dim) { return (this.state.z[dim] - spec.start[dim]) / (2 * this.reach(dim)) + 0.5; }
  name(dim) { return `latent ${dim + 1}`; }

  // ---- the page ------------------------------------------------------------------------

  build() {
    const [h, w] = spec.shape;
    this.picture = make("canvas", { className: "picture", width: w, height: h, role: "img" });
    this.bars = make("canvas", { className: "code", width: 600, height: 72, "aria-hidden": "true" });
    this.caption = make("p", { className: "caption" });
    this.status = make("p", { className: "status", role: "status" });
    const view = make("div", {}, make("h2", {}, "Decoded"), this.picture, this.bars, this.caption);
    const views = make("div", { className: "views" }, view, ...(spec.dim > 1 ? [this.buildPad()] : []));
    const controls = make("div", { className: "controls" }, ...this.buildControls());
    document.body.append(make("main", {}, make("h1", {}, spec.title),
      make("div", { className: "columns" }, views, controls), this.status));
  }

  buildPad() {
    const { n } = spec.plane;
    this.marker = make("div", { className: "marker" });
    this.map = make("canvas", { width: n * spec.shape[1], height: n * spec.shape[0], "aria-hidden": "true" });
    this.pad = make("div", {
      className: "pad", tabIndex: 0, role: "slider", "aria-label": "Plane of two latents, arrow keys move", "aria-valuemin": 0, "aria-valuemax": 100,
    }, this.map, this.marker);
    this.pad.addEventListener("pointerdown", (event) => {
      this.pad.setPointerCapture(event.pointerId);
      this.padPointer(event);
    });
    this.pad.addEventListener("pointermove", (event) => event.buttons && this.padPointer(event));
    this.pad.addEventListener("keydown", (event) => this.padKey(event));
    const dims = spec.order.map((dim) => [dim, this.name(dim)]);
    this.axes = ["across", "up"].map((word, axis) => {
      const select = make("select", { "aria-label": `Latent ${word}` }, ...dims.map(([dim, text]) =>
        make("option", { value: dim, selected: dim === this.dims[axis] }, text)));
      select.addEventListener("change", () => this.chooseAxis(axis, Number(select.value)));
      return select;
    });
    return make("div", {}, make("h2", {}, "Plane"), this.pad,
      make("div", { className: "axes" }, make("span", {}, "→ ", this.axes[0]), make("span", {}, "↑ ", this.axes[1])));
  }

  buildControls() {
    const pictured = (i) => make("canvas", { width: spec.shape[1], height: spec.shape[0], role: "img", "aria-label": spec.points[i].name });
    const rows = ["Go to", "Scale", "A", "B"].map((legend, row) => {
      const canvases = spec.points.map((_, i) => pictured(i));
      const use = (i) => this.pick(row, i);
      return { canvases, ...choice(legend, canvases, row === 0 ? -1 : row === 3 ? this.state.b : 0, use, "choice points") };
    });
    this.points = rows;
    this.modes = choice("Way of moving", ["Explore", "Scale t·z", "From A to B"], 0, (i) => this.setMode(i));
    this.classes = spec.classes && choice("Class", spec.classes, 0, (i) => this.setLabel(i));
    this.sliders = new Map();
    const first = spec.order.slice(0, 8).map((dim) => this.buildSlider(dim));
    const rest = spec.order.slice(8);
    const more = make("details", {}, make("summary", {}, `${rest.length} further latents`));
    more.addEventListener("toggle", () => { // hundreds of sliders are made only when asked for
      if (more.childElementCount === 1) {
        more.append(make("div", { className: "many" }, ...rest.map((dim) => this.buildSlider(dim))));
        this.enable();
        this.show();
      }
    });
    const buttons = make("div", { className: "row" }, button("Back to the start", () => this.goTo(this.start(), { kind: "start" })),
      button("Random z ~ " + (spec.prior === "codes" ? "codes" : "N(0, I)"), () => this.random()));
    this.t = ["t", "t"].map((text, i) => slider(text, [0, i ? 1 : 2, 0.01], 1, (t) => this.setT(t)));
    const arc = choice("Path", ["linear", "spherical"], 0, (i) => { this.state.spherical = Boolean(i); this.walk(); });
    const hasPoints = spec.points.length > 0;
    const two = spec.points.length > 1;
    this.panels = [
      make("div", { className: "controls" }, ...first, ...(rest.length ? [more] : []), buttons, ...(hasPoints ? [rows[0].box] : [])),
      make("div", { className: "controls" }, rows[1].box, this.t[0].row),
      make("div", { className: "controls" }, rows[2].box, rows[3].box, this.t[1].row, arc.box),
    ];
    this.modes.box.hidden = !hasPoints;
    if (!two) this.modes.box.lastChild.hidden = true;
    return [this.modes.box, ...(this.classes ? [this.classes.box] : []), ...this.panels];
  }

  buildSlider(dim) {
    const [middle, reach] = [spec.start[dim], this.reach(dim)];
    const made = slider(this.name(dim), [middle - reach, middle + reach, reach / 300], middle, (v) => this.move(dim, v));
    this.sliders.set(dim, made);
    return made.row;
  }

  // ---- what the reader does ----------------------------------------------------------------

  move(dim, value) {
    const { z } = this.state;
    const onPlane = this.dims.includes(dim) && spec.dim > 1;
    const keep = this.free ? [...z.keys()] : onPlane ? this.dims : [];
    const moved = this.start();
    keep.forEach((d) => { moved[d] = z[d]; });
    moved[dim] = value;
    this.goTo(moved, onPlane ? { kind: "plane" } : { kind: "strip", dim });
  }

  padPointer(event) {
    const box = this.pad.getBoundingClientRect();
    const { n } = spec.plane; // the picture of a place lies under the middle of its tile
    const along = (at) => Math.min(Math.max((at * n - 0.5) / (n - 1), 0), 1);
    this.padTo(along((event.clientX - box.left) / box.width), along(1 - (event.clientY - box.top) / box.height));
  }

  padKey(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key] || [];
    if (x === undefined) return;
    event.preventDefault();
    const along = (dim, by) => Math.min(Math.max(this.place(dim) + by * step, 0), 1);
    this.padTo(along(this.dims[0], x), along(this.dims[1], y));
  }

  padTo(u, v) {
    const z = this.free ? Float32Array.from(this.state.z) : this.start();
    [u, v].forEach((at, axis) => {
      const dim = this.dims[axis];
      z[dim] = spec.start[dim] + (2 * at - 1) * this.reach(dim);
    });
    this.goTo(z, { kind: "plane" });
  }

  chooseAxis(axis, dim) {
    if (this.dims[1 - axis] === dim) this.dims[1 - axis] = this.dims[axis];
    this.dims[axis] = dim;
    this.axes.forEach((select, i) => { select.value = this.dims[i]; });
    this.mapKey = null;
    this.show();
  }

  setMode(mode) {
    this.state.mode = mode;
    this.panels.forEach((panel, i) => { panel.hidden = i !== mode; });
    this.state.t = mode === 2 ? 0 : 1;
    if (mode) this.walk();
    else if (!this.free && ["scale", "mix"].includes(this.state.track?.kind)) this.pick(0, this.state.a);
    else this.show();
  }

  setLabel(label) {
    this.state.label = label;
    if (!this.free && !["plane", "strip", "start"].includes(this.state.track?.kind)) this.goTo(this.start(), { kind: "start" });
    else this.show();
  }

  setT(t) { this.state.t = t; this.walk(); }

  pick(row, i) {
    if (row === 3) this.state.b = i;
    else this.state.a = i;
    if (this.state.mode) return this.walk();
    if (spec.classes) this.state.label = spec.points[i].label;
    this.goTo(Float32Array.from(spec.points[i].z), { kind: "point", i });
  }

  /** Follow the mode's path to t. */
  walk() {
    const { mode, a, b, t, spherical } = this.state;
    const point = (i) => Float32Array.from(spec.points[i].z);
    if (spec.classes) this.state.label = this.free ? this.state.label : spec.points[mode === 2 ? Math.min(a, b) : a].label;
    if (mode === 1) this.goTo(point(a).map((v) => t * v), { kind: "scale", i: a, u: t / 2 });
    else this.goTo(between(point(a), point(b), t, spherical), { kind: "mix", a, b, u: t, spherical });
  }

  random() {
    if (!this.free) {
      const i = this.drawn++ % spec.samples.length;
      if (spec.classes) this.state.label = spec.samples[i].label;
      return this.goTo(Float32Array.from(spec.samples[i].z), { kind: "sample", i });
    }
    this.goTo(this.start().map((v, dim) => v + spec.spread[dim] * normal()), { kind: "free" });
  }

  goTo(z, track) {
    Object.assign(this.state, { z, track });
    this.show();
  }

  // ---- showing it --------------------------------------------------------------------------

  sourceChanged(last) {
    if (last) Object.assign(this.state, { z: Float32Array.from(last.z), label: last.label });
    if (!this.free && !this.state.track) this.state.z = this.start();
    if (!this.free && ["free", undefined].includes(this.state.track?.kind)) this.goTo(this.start(), { kind: "start" });
    if (!this.free) this.dims = [...spec.plane.dims];
    this.mapKey = null;
    this.error = null;
    this.axes?.forEach((select, i) => { select.value = this.dims[i]; select.disabled = !this.free; });
    this.enable();
    if (this.panels.every((panel) => !panel.hidden)) this.setMode(this.state.mode);
    this.show();
    this.showPoints();
  }

  enable() {
    const stored = new Set([...(spec.strips?.dims ?? []), ...this.dims]);
    for (const [dim, { input, row }] of this.sliders) {
      input.disabled = !this.free && !stored.has(dim);
      row.title = input.disabled ? "No pictures of this latent are stored; it moves with a kernel." : "";
    }
  }

  showPoints() {
    spec.points.forEach((point, i) => {
      const grey = this.stored ? this.stored.sheet.picture(spec.pointsFirst + i) : this.network.decode(point.z, point.label);
      this.points.forEach(({ canvases }) => draw(canvases[i], grey));
    });
  }

  show() {
    const { z, label, t } = this.state;
    this.sliders.forEach(({ set }, dim) => set(z[dim]));
    this.t.forEach(({ set }) => set(t));
    this.classes?.set(label);
    this.points.forEach(({ set }, row) =>
      set([this.state.track?.kind === "point" ? this.state.track.i : -1, this.state.a, this.state.a, this.state.b][row]));
    if (this.pad) this.showMarker();
    this.showCode(z);
    const drawIt = (grey) => this.showPicture(grey, z);
    if (this.kernel?.live) {
      this.kernel.ask("picture", [z], label, ({ pixels, error }) => { this.error = error; if (!error) drawIt(pixels); });
    } else {
      drawIt(this.network ? this.network.decode(z, label) : this.storedPicture());
    }
    if (this.pad) this.showMap();
    this.tellStatus();
  }

  storedPicture() {
    const { track, label } = this.state;
    if (track?.kind === "strip") return this.stored.strip(track.dim, this.place(track.dim), label);
    if (track?.kind === "scale") return this.stored.scale(track.i, track.u);
    if (track?.kind === "mix") return this.stored.mix(track.a, track.b, track.u, track.spherical);
    if (track?.kind === "point") return this.stored.sheet.picture(spec.pointsFirst + track.i);
    if (track?.kind === "sample") return this.stored.sheet.picture(spec.samplesFirst + track.i);
    if (spec.dim === 1) return this.stored.strip(0, this.place(0), label);
    return this.stored.plane(this.place(this.dims[0]), this.place(this.dims[1]), label);
  }

  showPicture(grey, z) {
    draw(this.picture, grey);
    this.picture.dataset.z = [...z].join(" ");
    document.documentElement.dataset.draws = ++this.draws;
  }

  showMarker() {
    const { n } = spec.plane;
    const at = this.dims.map((dim) => Math.min(Math.max((this.place(dim) * (n - 1) + 0.5) / n, 0), 1));
    this.marker.style.left = `${100 * at[0]}%`;
    this.marker.style.top = `${100 * (1 - at[1])}%`;
    this.pad.setAttribute("aria-valuenow", Math.round(100 * this.place(this.dims[0])));
    this.pad.setAttribute("aria-valuetext", this.dims.map((dim) => `${this.name(dim)}: ${shown(this.state.z[dim])}`).join(", "));
  }

  /** The plane behind the pad: stored, or decoded anew once its other latents have come to rest. */
  showMap() {
    const { z, label } = this.state;
    const others = this.free ? z.map((v, dim) => (this.dims.includes(dim) ? 0 : v)) : [];
    const key = [this.dims, label, ...others].join();
    if (key === this.mapKey) return;
    const first = this.mapKey === null;
    this.mapKey = key;
    clearTimeout(this.mapTimer);
    this.mapTimer = setTimeout(() => this.decodeMap(z, label), first || !this.free ? 0 : 300);
  }

  decodeMap(z, label) {
    const { n } = spec.plane;
    const [h, w] = spec.shape;
    const codes = Array.from({ length: n * n }, (_, k) => {
      const code = Float32Array.from(z);
      [(k % n) / (n - 1), 1 - Math.floor(k / n) / (n - 1)].forEach((at, axis) => {
        const dim = this.dims[axis];
        code[dim] = spec.start[dim] + (2 * at - 1) * this.reach(dim);
      });
      return code;
    });
    const tile = (k, grey) => draw(this.map, grey, [h, w], (k % n) * w, Math.floor(k / n) * h);
    if (this.kernel.live) {
      this.kernel.ask("plane", codes, label, ({ pixels, error }) => {
        for (let k = 0; !error && k < codes.length; k++) tile(k, pixels.subarray(k * h * w, (k + 1) * h * w));
      });
    } else {
      codes.forEach((code, k) => tile(k, this.network ? this.network.decode(code, label)
        : this.stored.sheet.picture(spec.plane.first + label * n * n + k)));
    }
  }

  /** z as bars in the order of the sliders, and in numbers where there are few. */
  showCode(z) {
    const context = this.bars.getContext("2d");
    const { width, height } = this.bars;
    const line = getComputedStyle(this.status).borderTopColor;
    context.clearRect(0, 0, width, height);
    context.fillStyle = line;
    context.fillRect(0, height / 2 - 1, width, 2);
    context.fillStyle = getComputedStyle(this.bars).color;
    const step = Math.min(width / spec.dim, 60);
    const left = (width - step * spec.dim) / 2;
    spec.order.forEach((dim, k) => {
      const size = Math.max(-1, Math.min(1, 2 * this.place(dim) - 1)) * (height / 2 - 2);
      context.fillRect(left + k * step + step * 0.12, height / 2 - Math.max(size, 0), step * 0.76, Math.max(Math.abs(size), 1.5));
    });
    const length = Math.sqrt(z.reduce((sum, v) => sum + v * v, 0));
    const text = spec.dim <= 4 ? `z = (${[...z].map((v) => shown(v)).join(", ")})` : `z: ${spec.dim} numbers, length ${shown(length)}`;
    this.caption.textContent = text;
    this.picture.setAttribute("aria-label", `Decoded picture of ${text}${spec.classes ? `, class ${spec.classes[this.state.label]}` : ""}`);
  }

  tellStatus() {
    const busy = this.kernel?.waiting && performance.now() - this.kernel.waiting.since > 1500;
    const kind = this.kernel?.live ? "live" : this.network ? "network" : "stored";
    const text = this.error || (busy ? "The kernel is busy; the picture follows when it is free." : WORDS[kind] + (spec.note ? ` ${spec.note}` : ""));
    if (this.status.textContent === text) return;
    this.status.textContent = text;
    this.status.classList.toggle("bad", Boolean(this.error));
    document.documentElement.dataset.source = kind;
  }
}

async function begin() {
  document.body.querySelector(".notice").remove();
  if (spec.kind === "frames") return frames();
  const stored = spec.sheet ? new Stored(await Sheet.load(spec.sheet)) : null;
  globalThis.player = new LatentPlayer(stored);
}
begin();
