// Small parts of the player's page.

/** An element with properties (aria-* and data-* as attributes) and children. */
function make(tag, properties = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(properties)) {
    if (name.includes("-") || name === "role" || name === "for") element.setAttribute(name, value);
    else element[name] = value;
  }
  element.append(...children);
  return element;
}

const nameOf = (dim) => `latent ${dim + 1}`;
const within = (place) => Math.min(Math.max(place, 0), 1);
const shown = (value, digits = 2) => value.toFixed(digits).replace("-", "−");

/** Draw a picture of grey bytes on a canvas of its own size. */
function draw(canvas, grey, [h, w] = spec.shape, left = 0, top = 0) {
  const image = new ImageData(w, h);
  const words = new Uint32Array(image.data.buffer);
  for (let i = 0; i < grey.length; i++) words[i] = 0xff000000 | (grey[i] * 0x010101);
  canvas.getContext("2d").putImageData(image, left, top);
}

/** A labelled slider with its value beside it. */
function slider(label, [least, most, step], value, change, text = shown) {
  const input = make("input", { type: "range", min: least, max: most, step, value });
  const output = make("output", {}, text(value));
  const set = (v) => {
    input.value = v;
    output.textContent = text(v);
    input.setAttribute("aria-valuetext", text(v));
  };
  input.addEventListener("input", () => { set(input.valueAsNumber); change(input.valueAsNumber); });
  set(value);
  return { row: make("label", { className: "slider" }, make("span", {}, label), input, output), input, set };
}

/** A group of buttons of which one is chosen. */
function choice(legend, options, chosen, change, className = "choice") {
  const name = `choice-${choice.count = (choice.count || 0) + 1}`;
  const inputs = options.map((_, i) =>
    make("input", { type: "radio", name, checked: i === chosen, onchange: () => change(i) }));
  const labels = options.map((content, i) => make("label", {}, inputs[i], make("span", {}, content)));
  const box = make("fieldset", { className }, make("legend", {}, legend), ...labels);
  return { box, set: (i) => inputs.forEach((input, k) => { input.checked = k === i; }) };
}

const button = (text, onclick) => make("button", { type: "button", onclick }, text);

/** A standard normal number (Box and Muller). */
const normal = () => Math.sqrt(-2 * Math.log(1 - Math.random())) * Math.cos(2 * Math.PI * Math.random());

/** Between two codes: straight, or along the arc on which both lie. */
function between(a, b, t, spherical) {
  let [left, right] = [1 - t, t];
  if (spherical) {
    const dot = (x, y) => x.reduce((sum, v, i) => sum + v * y[i], 0);
    const cosine = dot(a, b) / Math.sqrt(dot(a, a) * dot(b, b));
    const angle = Math.acos(Math.min(Math.max(cosine, -1), 1));
    if (Math.sin(angle) > 1e-4) [left, right] = [(1 - t) * angle, t * angle].map((x) => Math.sin(x) / Math.sin(angle));
  }
  return a.map((v, i) => left * v + right * b[i]);
}

/** Tell the page around this frame how tall the player is. */
function tellHeight() {
  const tell = () => parent.postMessage({ labkit: spec.key, height: Math.ceil(document.body.scrollHeight) }, "*");
  tell(); // at once, since a frame out of sight is not observed
  new ResizeObserver(tell).observe(document.body);
  addEventListener("message", ({ source, data }) => source === parent && data?.measure && tell());
}
