// The explorer's controls: a way of moving, a class, and a panel of sliders and choices for each way.

class Controls {
  constructor(player) {
    const { spec } = player;
    Object.assign(this, { player, spec });
    const some = spec.points.length > 0;
    this.modes = choice("Way of moving", ["Explore", "Scale t·z", "From A to B"], 0, (mode) => player.setMode(mode));
    this.modes.box.hidden = !some;
    if (spec.points.length < 2) this.modes.box.lastChild.hidden = true;
    this.classes = spec.classes && choice("Class", spec.classes, 0, (label) => player.setLabel(label));
    this.points = ["Go to", "Scale", "A", "B"].map((legend, row) => this.buildPoints(legend, row));
    this.t = [2, 1].map((most) => slider("t", [0, most, 0.01], 1, (t) => player.setT(t)));
    const [goTo, scaled, a, b] = this.points.map(({ box }) => box);
    const paths = spec.mix?.paths ?? ["linear", "spherical"]; // of those that are stored, if any are
    const path = choice("Path", paths, 0, (i) => player.setPath(Boolean(i)));
    path.box.hidden = paths.length < 2;
    this.panels = [
      [...this.buildSliders(), this.buildButtons(), ...(some ? [goTo] : [])],
      [scaled, this.t[0].row],
      [a, b, this.t[1].row, path.box],
    ].map((parts) => make("div", { className: "controls" }, ...parts));
    this.element = make("div", { className: "controls" }, this.modes.box, ...(this.classes ? [this.classes.box] : []), ...this.panels);
  }

  /** The codes that can be gone to, as pictures of which one is chosen. */
  buildPoints(legend, row) {
    const canvases = this.spec.points.map(({ name }) =>
      make("canvas", { width: this.spec.shape[1], height: this.spec.shape[0], role: "img", "aria-label": name }));
    const chosen = [-1, 0, 0, this.player.state.b][row];
    return { canvases, ...choice(legend, canvases, chosen, (i) => this.player.pick(row, i), "choice points") };
  }

  /** A slider a latent: the most active, and the rest where they are asked for. */
  buildSliders() {
    this.sliders = new Map();
    const [first, rest] = [this.spec.order.slice(0, 8), this.spec.order.slice(8)];
    const shownAtOnce = first.map((dim) => this.buildSlider(dim));
    if (!rest.length) return shownAtOnce;
    const more = make("details", {}, make("summary", {}, `${rest.length} further latents`));
    more.addEventListener("toggle", () => { // hundreds of sliders are made only when asked for
      if (more.childElementCount > 1) return;
      more.append(make("div", { className: "many" }, ...rest.map((dim) => this.buildSlider(dim))));
      this.enable();
      this.player.show();
    });
    return [...shownAtOnce, more];
  }

  buildSlider(dim) {
    const [middle, reach] = [this.spec.start[dim], this.player.reach(dim)];
    const range = [middle - reach, middle + reach, reach / 300];
    const made = slider(nameOf(dim), range, middle, (value) => this.player.move(dim, value));
    this.sliders.set(dim, made);
    return made.row;
  }

  buildButtons() {
    const { player } = this;
    const drawn = `Random z ~ ${this.spec.prior === "codes" ? "codes" : "N(0, I)"}`;
    return make("div", { className: "row" }, button("Back to the start", () => player.goToStart()), button(drawn, () => player.random()));
  }

  /** Without a decoder only the latents of which pictures are stored can move. */
  enable() {
    const stored = new Set([...(this.spec.strips?.dims ?? []), ...this.spec.plane.dims]);
    for (const [dim, { input, row }] of this.sliders) {
      input.disabled = !this.player.free && !stored.has(dim);
      row.title = input.disabled ? "No pictures of this latent are stored; it moves with a kernel." : "";
    }
  }

  showMode(mode) {
    this.modes.set(mode);
    this.panels.forEach((panel, i) => { panel.hidden = i !== mode; });
  }

  showPoint(i, grey) {
    this.points.forEach(({ canvases }) => draw(canvases[i], grey, this.spec.shape));
  }

  show({ z, label, t, a, b, track }) {
    this.sliders.forEach(({ set }, dim) => set(z[dim]));
    this.t.forEach(({ set }) => set(t));
    this.classes?.set(label);
    const chosen = [track?.kind === "point" ? track.i : -1, a, a, b];
    this.points.forEach(({ set }, row) => set(chosen[row]));
  }
}
