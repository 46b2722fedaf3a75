// Pictures through time: a slider, steps, and play for those who want motion.

function frames(spec) {
  const last = spec.frames.length - 1;
  const still = matchMedia("(prefers-reduced-motion: reduce)");
  const [height, width] = spec.shape;
  const image = make("img", { className: "frame", height, width }); // its place is kept before it is decoded
  let [at, timer] = [0, null];

  const show = (k) => {
    at = Math.min(Math.max(k, 0), last);
    image.src = spec.frames[at].uri;
    image.alt = `${spec.title}, ${spec.frames[at].name}`;
    scrub.set(at);
    back.disabled = at === 0;
    forth.disabled = at === last;
  };
  const stop = () => { clearInterval(timer); timer = null; play.textContent = "Play"; };
  const start = () => {
    show(at === last ? 0 : at);
    play.textContent = "Pause";
    timer = setInterval(() => (at === last ? stop() : show(at + 1)), 600);
  };

  const scrub = slider(spec.label, [0, last, 1], 0, (k) => { stop(); show(k); }, (k) => spec.frames[k].name);
  const back = button("Previous", () => { stop(); show(at - 1); });
  const play = button("Play", () => (timer ? stop() : start()));
  const forth = button("Next", () => { stop(); show(at + 1); });
  const calm = () => { play.hidden = still.matches; if (still.matches) stop(); };
  still.addEventListener("change", calm);
  document.body.append(make("main", { className: "frames" }, make("h1", {}, spec.title), image,
    make("div", { className: "row" }, scrub.row), make("div", { className: "row" }, back, play, forth)));
  calm();
  show(last);
  tellHeight(spec.key);
}
