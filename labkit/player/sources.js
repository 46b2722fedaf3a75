// Where pictures come from: a decoder in this page, stored sheets, or the kernel.
// Pictures are grey bytes, height × width; codes are Float32Arrays of length D.
"use strict";

const bytesOf = (base64) => Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));

/** Little-endian half-precision floats as single ones. */
function halves(bytes) {
  const view = new DataView(bytes.buffer);
  return Float32Array.from({ length: bytes.length / 2 }, (_, i) => {
    const half = view.getUint16(2 * i, true);
    const [exponent, fraction] = [(half >> 10) & 31, half & 1023];
    const size = exponent ? (1 + fraction / 1024) * 2 ** (exponent - 15) : fraction * 2 ** -24;
    return half & 0x8000 ? -size : size;
  });
}

const ACTIVATIONS = {
  linear: (v) => v,
  relu: (v) => (v > 0 ? v : 0),
  sigmoid: (v) => 1 / (1 + Math.exp(-v)),
  tanh: Math.tanh,
};

/** A chain of dense layers, run here. Each kernel is stored row by row, its bias after it. */
class Network {
  /** `layers` and `weights` as in the spec; `conditional`: the label follows the code, one-hot. */
  constructor({ layers, weights }, conditional) {
    this.conditional = conditional;
    const values = halves(bytesOf(weights));
    let at = 0;
    const take = (n) => values.subarray(at, (at += n));
    this.layers = layers.map(([n, m, activation]) => ({
      n, kernel: take(n * m), bias: take(m), activation: ACTIVATIONS[activation],
    }));
  }

  decode(z, label) {
    let x = new Float32Array(this.layers[0].n); // z, then the label one-hot if there are classes
    x.set(z);
    if (this.conditional) x[z.length + label] = 1;
    for (const { kernel, bias, activation } of this.layers) {
      const y = Float32Array.from(bias);
      for (let i = 0, at = 0; i < x.length; i++, at += y.length) {
        const v = x[i];
        if (v !== 0) for (let j = 0; j < y.length; j++) y[j] += v * kernel[at + j];
      }
      for (let j = 0; j < y.length; j++) y[j] = activation(y[j]);
      x = y;
    }
    return Uint8Array.from(x, (p) => Math.round(Math.min(Math.max(p, 0), 1) * 255));
  }
}

/** Stored pictures, side by side in one image, by number. */
class Sheet {
  static async load({ uri, columns, pitch }, shape) {
    const image = new Image();
    image.src = uri;
    await image.decode();
    const canvas = Object.assign(document.createElement("canvas"), { width: image.width, height: image.height });
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(image, 0, 0);
    return new Sheet(context.getImageData(0, 0, image.width, image.height), columns, pitch, shape);
  }

  constructor(pixels, columns, pitch, shape) {
    Object.assign(this, { pixels, columns, pitch, shape });
  }

  picture(number) {
    return this.blend([[number, 1]]);
  }

  /** Weighted mean of pictures: pairs of number and weight. */
  blend(parts) {
    const [h, w] = this.shape;
    const sum = new Float32Array(h * w);
    for (const [number, weight] of parts) {
      if (weight === 0) continue;
      const left = (number % this.columns) * this.pitch[1] + ((this.pitch[1] - w) >> 1);
      const top = Math.floor(number / this.columns) * this.pitch[0] + ((this.pitch[0] - h) >> 1);
      for (let row = 0, k = 0; row < h; row++) {
        let at = 4 * ((top + row) * this.pixels.width + left);
        for (let column = 0; column < w; column++, k++, at += 4) sum[k] += weight * this.pixels.data[at];
      }
    }
    return Uint8Array.from(sum, Math.round);
  }
}

/** The two neighbours of a place on 0 … n − 1 and their weights. */
function neighbours(place, n) {
  const at = Math.min(Math.max(place, 0), n - 1);
  const low = Math.min(Math.floor(at), Math.max(n - 2, 0));
  return n === 1 ? [[0, 1]] : [[low, 1 - (at - low)], [low + 1, at - low]];
}

/** What the stored sheet holds: the plane, a strip a latent, scalings, mixtures, draws. */
class Stored {
  constructor(spec, sheet) {
    Object.assign(this, { spec, sheet });
  }

  plane(u, v, label) { // u, v on 0 … 1, v upwards
    const { n, first } = this.spec.plane;
    const [across, down] = [neighbours(u * (n - 1), n), neighbours((1 - v) * (n - 1), n)];
    const from = first + label * n * n;
    return this.sheet.blend(
      down.flatMap(([row, a]) => across.map(([column, b]) => [from + row * n + column, a * b])),
    );
  }

  strip(dim, u, label) {
    const { steps, dims, first } = this.spec.strips;
    const from = first + (label * dims.length + dims.indexOf(dim)) * steps;
    return this.blended(from, u, steps);
  }

  scale(point, u) {
    return this.blended(this.spec.scale.first + point * this.spec.scale.steps, u, this.spec.scale.steps);
  }

  mix(a, b, u, spherical) {
    if (a === b) return this.sheet.picture(this.spec.pointsFirst + a);
    const [low, high] = a < b ? [a, b] : [b, a];
    let pair = 0;
    for (let i = 0; i < low; i++) pair += this.spec.points.length - 1 - i;
    pair += high - low - 1;
    const { steps, first } = this.spec.mix;
    return this.blended(first + (2 * pair + (spherical ? 1 : 0)) * steps, a < b ? u : 1 - u, steps);
  }

  blended(from, u, steps) {
    return this.sheet.blend(neighbours(u * (steps - 1), steps).map(([step, weight]) => [from + step, weight]));
  }
}

/** The kernel, reached through the page around this frame. One request at a time, the latest wins. */
class Kernel {
  /** `onChange()`: it came or went. `onGo({ z, label })`: the code is to be gone to. */
  constructor({ key, dim }, onChange, onGo) {
    Object.assign(this, { key, dim, live: false, serial: 0, waiting: null, next: new Map(), onChange, onGo });
    if (!key) return;
    addEventListener("message", (event) => event.source === parent && this.hear(event.data));
    parent.postMessage({ labkit: key, hello: true }, "*");
  }

  hear(message) {
    if (message?.labkit !== this.key) return;
    if (message.theme) document.documentElement.dataset.theme = message.theme;
    if ("live" in message && message.live !== this.live) {
      this.live = message.live;
      this.waiting = null;
      this.next.clear();
      this.onChange();
    }
    if (message.go && this.live) this.onGo(message.go);
    if (message.answer && message.answer.serial === this.waiting?.serial) {
      const { use } = this.waiting;
      this.waiting = null;
      use(message.answer);
      this.send();
    }
  }

  /** Say that the reader moved the code; its digits are those of single precision. */
  moved(z, label) {
    if (!this.live) return;
    const short = Array.from(z, (v) => Number(v.toPrecision(7)));
    parent.postMessage({ labkit: this.key, moved: { z: short, label } }, "*");
  }

  /** Ask for the pictures of codes; an older question of the same kind is forgotten. */
  ask(kind, codes, label, use) {
    this.next.set(kind, { codes, label, use });
    this.send();
  }

  send() {
    if (this.waiting || !this.next.size) return;
    const kind = this.next.has("picture") ? "picture" : this.next.keys().next().value;
    const { codes, label, use } = this.next.get(kind);
    this.next.delete(kind);
    this.waiting = { serial: ++this.serial, use, since: performance.now() };
    const z = new Float32Array(codes.length * this.dim);
    codes.forEach((code, i) => z.set(code, i * this.dim));
    parent.postMessage({ labkit: this.key, ask: { serial: this.serial, count: codes.length, label, z } }, "*");
  }
}
