// The plane of two latents: a map of its pictures, and a marker that moves over it.

class Pad {
  /** `player` knows the spec, the code, how far each latent reaches, and who decodes. */
  constructor(player) {
    const { spec } = player;
    Object.assign(this, { player, spec });
    this.dims = [...spec.plane.dims];
    this.marker = make("div", { className: "marker" });
    const { n } = spec.plane;
    this.map = make("canvas", { width: n * spec.shape[1], height: n * spec.shape[0], "aria-hidden": "true" });
    this.pad = make("div", {
      className: "pad", tabIndex: 0, role: "slider", "aria-label": "Plane of two latents, arrow keys move", "aria-valuemin": 0, "aria-valuemax": 100,
    }, this.map, this.marker);
    this.pad.addEventListener("pointerdown", (event) => {
      this.pad.setPointerCapture(event.pointerId);
      this.moveByPointer(event);
    });
    this.pad.addEventListener("pointermove", (event) => event.buttons && this.moveByPointer(event));
    this.pad.addEventListener("keydown", (event) => this.moveByKey(event));
    this.axes = ["across", "up"].map((word, axis) => this.buildAxis(word, axis));
    this.element = make("div", {}, make("h2", {}, "Plane"), this.pad,
      make("div", { className: "axes" }, make("span", {}, "→ ", this.axes[0]), make("span", {}, "↑ ", this.axes[1])));
  }

  buildAxis(word, axis) {
    const select = make("select", { "aria-label": `Latent ${word}` }, ...this.spec.order.map((dim) =>
      make("option", { value: dim, selected: dim === this.dims[axis] }, nameOf(dim))));
    select.addEventListener("change", () => this.choose(axis, Number(select.value)));
    return select;
  }

  // ---- what the reader does ----------------------------------------------------------------

  moveByPointer(event) {
    const box = this.pad.getBoundingClientRect();
    const { n } = this.spec.plane; // the picture of a place lies under the middle of its tile
    const along = (at) => within((at * n - 0.5) / (n - 1));
    this.moveTo(along((event.clientX - box.left) / box.width), along(1 - (event.clientY - box.top) / box.height));
  }

  moveByKey(event) {
    const step = event.shiftKey ? 0.1 : 0.02;
    const [x, y] = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowDown: [0, -1], ArrowUp: [0, 1] }[event.key] || [];
    if (x === undefined) return;
    event.preventDefault();
    const along = (dim, by) => within(this.player.place(dim) + by * step);
    this.moveTo(along(this.dims[0], x), along(this.dims[1], y));
  }

  moveTo(u, v) {
    const { player } = this;
    const z = this.codeAt(player.free ? player.state.z : player.start(), u, v);
    player.goTo(z, { kind: "plane" });
  }

  choose(axis, dim) {
    if (this.dims[1 - axis] === dim) this.dims[1 - axis] = this.dims[axis];
    this.dims[axis] = dim;
    this.drawnFor = null;
    this.showAxes();
    this.player.show();
  }

  /** The code `z`, moved to a place on the plane; 0, 0 is its left lower corner. */
  codeAt(z, u, v) {
    const moved = Float32Array.from(z);
    [u, v].forEach((at, axis) => {
      const dim = this.dims[axis];
      moved[dim] = this.spec.start[dim] + (2 * at - 1) * this.player.reach(dim);
    });
    return moved;
  }

  // ---- showing it --------------------------------------------------------------------------

  /** Begin anew, since other pictures can be had than before. */
  renew() {
    if (!this.player.free) this.dims = [...this.spec.plane.dims];
    this.drawnFor = null;
    this.showAxes();
  }

  showAxes() {
    this.axes.forEach((select, axis) => {
      select.value = this.dims[axis];
      select.disabled = !this.player.free;
    });
  }

  show() {
    const { n } = this.spec.plane;
    const { player } = this;
    const at = this.dims.map((dim) => within((player.place(dim) * (n - 1) + 0.5) / n));
    this.marker.style.left = `${100 * at[0]}%`;
    this.marker.style.top = `${100 * (1 - at[1])}%`;
    this.pad.setAttribute("aria-valuenow", Math.round(100 * player.place(this.dims[0])));
    this.pad.setAttribute("aria-valuetext", this.dims.map((dim) => `${nameOf(dim)}: ${shown(player.state.z[dim])}`).join(", "));
    this.showMap();
  }

  /** The map is decoded anew only once the latents that are not on it have come to rest. */
  showMap() {
    const { free, state: { z, label } } = this.player;
    const others = free ? z.map((v, dim) => (this.dims.includes(dim) ? 0 : v)) : [];
    const key = [this.dims, label, ...others].join();
    if (key === this.drawnFor) return;
    const first = this.drawnFor === null;
    this.drawnFor = key;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.decodeMap(z, label), first || !free ? 0 : 300);
  }

  decodeMap(z, label) {
    const { n } = this.spec.plane;
    const codes = Array.from({ length: n * n }, (_, k) => this.codeAt(z, (k % n) / (n - 1), 1 - Math.floor(k / n) / (n - 1)));
    const [h, w] = this.spec.shape;
    this.player.decodePlane(codes, label, (k, grey) => draw(this.map, grey, [h, w], (k % n) * w, Math.floor(k / n) * h));
  }
}
