// What a code decodes to: the picture, and the code below it as bars and in numbers.

class View {
  constructor(spec) {
    this.spec = spec;
    const [height, width] = spec.shape;
    this.picture = make("canvas", { className: "picture", width, height, role: "img" });
    this.bars = make("canvas", { className: "code", width: 600, height: 72, "aria-hidden": "true" });
    this.caption = make("p", { className: "caption" });
    this.element = make("div", {}, make("h2", {}, "Decoded"), this.picture, this.bars, this.caption);
    this.draws = 0;
  }

  showPicture(grey, z) {
    draw(this.picture, grey, this.spec.shape);
    this.picture.dataset.z = [...z].join(" ");
    document.documentElement.dataset.draws = ++this.draws;
  }

  /** Describe a code; `place` gives a latent's place on its slider, 0 … 1. */
  showCode(z, label, place) {
    this.drawBars(place);
    const length = Math.sqrt(z.reduce((sum, v) => sum + v * v, 0));
    const text = this.spec.dim <= 4 ? `z = (${[...z].map((v) => shown(v)).join(", ")})` : `z: ${this.spec.dim} numbers, length ${shown(length)}`;
    this.caption.textContent = text;
    this.picture.setAttribute("aria-label", `Decoded picture of ${text}${this.spec.classes ? `, class ${this.spec.classes[label]}` : ""}`);
  }

  /** A bar a latent, in the order of the sliders. */
  drawBars(place) {
    const context = this.bars.getContext("2d");
    const { width, height } = this.bars;
    const colour = (element, property) => getComputedStyle(element)[property];
    context.clearRect(0, 0, width, height);
    context.fillStyle = colour(this.element.closest("main"), "borderTopColor");
    context.fillRect(0, height / 2 - 1, width, 2);
    context.fillStyle = colour(this.bars, "color");
    const step = Math.min(width / this.spec.dim, 60);
    const left = (width - step * this.spec.dim) / 2;
    this.spec.order.forEach((dim, k) => {
      const size = Math.max(-1, Math.min(1, 2 * place(dim) - 1)) * (height / 2 - 2);
      context.fillRect(left + k * step + step * 0.12, height / 2 - Math.max(size, 0), step * 0.76, Math.max(Math.abs(size), 1.5));
    });
  }
}
