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

/** Draw a picture of grey bytes, height × width, on a canvas. */
function draw(canvas, grey, [h, w], left = 0, top = 0) {
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

/** The code a share t of the way from a to b on a straight line. */
const lerp = (a, b, t) => a.map((v, i) => (1 - t) * v + t * b[i]);

/**
 * Spherical interpolation, as in labkit/latent.py: the direction turns at constant speed, the length
 * goes linearly from a's to b's. A line where no arc is the shortest: a code of length 0, opposite codes.
 */
function slerp(a, b, t) {
  const length = (x) => Math.sqrt(x.reduce((sum, v) => sum + v * v, 0));
  const [lengthA, lengthB] = [length(a), length(b)];
  const [u, v] = [a.map((x) => x / lengthA), b.map((x) => x / lengthB)];
  // From half the chords: exact for small and for large angles, unlike acos.
  const angle = 2 * Math.atan2(length(u.map((x, i) => x - v[i])), length(u.map((x, i) => x + v[i])));
  const sine = Math.sin(angle);
  if (!(sine > 1e-6)) return lerp(a, b, t); // parallel or opposite; NaN of a zero code
  const [left, right] = [Math.sin((1 - t) * angle) / sine, Math.sin(t * angle) / sine];
  return u.map((x, i) => (left * x + right * v[i]) * ((1 - t) * lengthA + t * lengthB));
}

/** Tell the page around this frame how tall the player is. */
function tellHeight(key) {
  const tell = () => parent.postMessage({ labkit: key, height: Math.ceil(document.body.scrollHeight) }, "*");
  tell(); // at once, since a frame out of sight is not observed
  new ResizeObserver(tell).observe(document.body);
  addEventListener("message", ({ source, data }) => source === parent && data?.measure && tell());
}
