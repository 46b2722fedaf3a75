// The latent explorer: one code z, three ways to move it, and three sources of its picture.

const WORDS = {
  live: "Live: the kernel decodes every picture.",
  network: "The decoder runs in this page: all latents move freely.",
  stored: "No kernel here. Stored pictures: the plane, or one latent at a time from the start, blended between neighbours.",
};

class LatentPlayer {
  /** `spec`: what `LatentExplorer.spec` wrote. `stored`: its pictures; null where the decoder runs in the page. */
  constructor(spec, stored) {
    Object.assign(this, { spec, stored });
    this.network = spec.network && new Network(spec.network, Boolean(spec.classes));
    this.state = { mode: 0, z: this.start(), label: 0, a: 0, b: Math.min(1, spec.points.length - 1), t: 1, spherical: false, track: null };
    this.samplesUsed = 0;
    this.view = new View(spec);
    this.pad = spec.dim > 1 ? new Pad(this) : null;
    this.controls = new Controls(this);
    this.status = make("p", { className: "status", role: "status" });
    const views = make("div", { className: "views" }, this.view.element, ...(this.pad ? [this.pad.element] : []));
    document.body.append(make("main", {}, make("h1", {}, spec.title),
      make("div", { className: "columns" }, views, this.controls.element), this.status));
    this.kernel = new Kernel(spec, () => this.sourceChanged(), (code) => this.follow(code));
    this.controls.showMode(0);
    this.sourceChanged();
    setInterval(() => this.showStatus(), 500);
    tellHeight(spec.key);
  }

  start() { return Float32Array.from(this.spec.start); }
  get free() { return this.kernel?.live || Boolean(this.network); }
  reach(dim) { return this.spec.reach * this.spec.spread[dim]; }
  /** The place of a latent's value on its slider, 0 … 1. */
  place(dim) { return (this.state.z[dim] - this.spec.start[dim]) / (2 * this.reach(dim)) + 0.5; }

  // ---- what the reader does ----------------------------------------------------------------

  move(dim, value) {
    const { z } = this.state;
    const onPlane = this.pad?.dims.includes(dim);
    const keep = this.free ? [...z.keys()] : onPlane ? this.pad.dims : [];
    const moved = this.start();
    keep.forEach((d) => { moved[d] = z[d]; });
    moved[dim] = value;
    this.goTo(moved, onPlane ? { kind: "plane" } : { kind: "strip", dim });
  }

  setMode(mode) {
    this.state.mode = mode;
    this.controls.showMode(mode);
    this.state.t = mode === 2 ? 0 : 1;
    if (mode) this.walk();
    else if (!this.free && ["scale", "mix"].includes(this.state.track?.kind)) this.pick(0, this.state.a);
    else this.show();
  }

  setLabel(label) {
    this.state.label = label;
    if (!this.free && !["plane", "strip", "start"].includes(this.state.track?.kind)) this.goToStart();
    else this.goTo(this.state.z, this.state.track);
  }

  setT(t) { this.state.t = t; this.walk(); }
  setPath(spherical) { this.state.spherical = spherical; this.walk(); }

  pick(row, i) {
    if (row === 3) this.state.b = i;
    else this.state.a = i;
    if (this.state.mode) return this.walk();
    if (this.spec.classes) this.state.label = this.spec.points[i].label;
    this.goTo(Float32Array.from(this.spec.points[i].z), { kind: "point", i });
  }

  /** Follow the mode's path to t. */
  walk() {
    const { mode, a, b, t, spherical } = this.state;
    const point = (i) => Float32Array.from(this.spec.points[i].z);
    if (this.spec.classes) this.state.label = this.free ? this.state.label : this.spec.points[mode === 2 ? Math.min(a, b) : a].label;
    if (mode === 1) this.goTo(point(a).map((v) => t * v), { kind: "scale", i: a, u: t / 2 });
    else this.goTo((spherical ? slerp : lerp)(point(a), point(b), t), { kind: "mix", a, b, u: t, spherical });
  }

  random() {
    if (!this.free) {
      const i = this.samplesUsed++ % this.spec.samples.length;
      if (this.spec.classes) this.state.label = this.spec.samples[i].label;
      return this.goTo(Float32Array.from(this.spec.samples[i].z), { kind: "sample", i });
    }
    this.goTo(this.start().map((v, dim) => v + this.spec.spread[dim] * normal()), { kind: "free" });
  }

  goToStart() { this.goTo(this.start(), { kind: "start" }); }

  goTo(z, track) {
    Object.assign(this.state, { z, track });
    this.show();
    this.kernel?.moved(z, this.state.label);
  }

  /** The code was moved elsewhere: in the kernel, by a widget, in another copy of this player. */
  follow({ z, label }) {
    const same = label === this.state.label && z.every((v, i) => Math.fround(v) === this.state.z[i]);
    if (same) return;
    Object.assign(this.state, { z: Float32Array.from(z), label, mode: 0, track: { kind: "free" } });
    this.controls.showMode(0);
    this.show();
  }

  // ---- showing it --------------------------------------------------------------------------

  /** The kernel came, or it went. */
  sourceChanged() {
    this.error = null;
    this.pad?.renew();
    this.controls.enable();
    if (!this.free && ["free", undefined].includes(this.state.track?.kind)) this.goToStart();
    else this.show();
    this.spec.points.forEach((point, i) => this.controls.showPoint(i, this.stored
      ? this.stored.sheet.picture(this.spec.pointsFirst + i) : this.network.decode(point.z, point.label)));
  }

  show() {
    const { z, label } = this.state;
    this.controls.show(this.state);
    this.view.showCode(z, label, (dim) => this.place(dim));
    this.pad?.show();
    if (this.kernel?.live) {
      this.kernel.ask("picture", [z], label, ({ pixels, error }) => { this.error = error; if (!error) this.view.showPicture(pixels, z); });
    } else {
      this.view.showPicture(this.network ? this.network.decode(z, label) : this.storedPicture(), z);
    }
    this.showStatus();
  }

  storedPicture() {
    const { track, label } = this.state;
    if (track?.kind === "strip") return this.stored.strip(track.dim, this.place(track.dim), label);
    if (track?.kind === "scale") return this.stored.scale(track.i, track.u);
    if (track?.kind === "mix") return this.stored.mix(track.a, track.b, track.u, track.spherical);
    if (track?.kind === "point") return this.stored.sheet.picture(this.spec.pointsFirst + track.i);
    if (track?.kind === "sample") return this.stored.sheet.picture(this.spec.samplesFirst + track.i);
    if (!this.pad) return this.stored.strip(0, this.place(0), label);
    return this.stored.plane(...this.pad.dims.map((dim) => this.place(dim)), label);
  }

  /** The pictures of the pad's codes, handed to `use` with their number. */
  decodePlane(codes, label, use) {
    const { length } = codes;
    const size = this.spec.shape[0] * this.spec.shape[1];
    if (this.kernel.live) {
      this.kernel.ask("plane", codes, label, ({ pixels, error }) => {
        for (let k = 0; !error && k < length; k++) use(k, pixels.subarray(k * size, (k + 1) * size));
      });
    } else {
      codes.forEach((code, k) => use(k, this.network ? this.network.decode(code, label)
        : this.stored.sheet.picture(this.spec.plane.first + label * length + k)));
    }
  }

  showStatus() {
    const busy = this.kernel?.waiting && performance.now() - this.kernel.waiting.since > 1500;
    const kind = this.kernel?.live ? "live" : this.network ? "network" : "stored";
    const text = this.error || (busy ? "The kernel is busy; the picture follows when it is free." : WORDS[kind] + (this.spec.note ? ` ${this.spec.note}` : ""));
    if (this.status.textContent === text) return;
    this.status.textContent = text;
    this.status.classList.toggle("bad", Boolean(this.error));
    document.documentElement.dataset.source = kind;
  }
}

async function begin() {
  const spec = JSON.parse(document.getElementById("spec").textContent);
  document.body.querySelector(".notice").remove();
  if (spec.kind === "frames") return frames(spec);
  new LatentPlayer(spec, spec.sheet ? new Stored(spec, await Sheet.load(spec.sheet, spec.shape)) : null);
}
begin();
