// Joins the frames of one explorer to its kernel: questions and pictures, and the traits z and label.
// JupyterLab makes the model when the kernel opens it, and again when the page is loaded anew; the
// frames stand in outputs, which have no view of it.

export default {
  initialize({ model }) {
    const key = model.get("key");
    const asked = new Map(); // serial of ours → frame and its own serial
    let [serial, ended] = [0, false];
    let mover = null; // the frame whose move is being passed on

    const players = () => [...document.querySelectorAll(".labkit-player iframe")];
    const theme = () => (document.body.dataset.jpThemeLight === "false" ? "dark" : document.body.dataset.jpThemeLight ? "light" : undefined);
    const code = () => ({ z: model.get("z"), label: model.get("label") });
    const tell = (frame, message, transfer = []) => frame.postMessage({ labkit: key, ...message }, "*", transfer);
    const greet = (frame) => tell(frame, { live: !ended, theme: theme(), go: ended ? undefined : code() });
    const greetAll = () => players().forEach((player) => greet(player.contentWindow));

    const hear = ({ source, data }) => {
      if (data?.labkit !== key) return;
      const player = players().find((candidate) => candidate.contentWindow === source);
      if (!player) return;
      if (data.height) player.style.height = `${Math.min(Math.max(data.height, 120), 4000)}px`;
      if (data.hello) greet(source);
      if (data.ask && !ended) ask(source, data.ask);
      if (data.moved && !ended) passOn(source, data.moved);
    };
    const ask = (source, { serial: own, z, count, label }) => {
      asked.set(++serial, { source, serial: own });
      model.send({ serial, count, label }, undefined, [z.buffer]);
    };
    /** The reader moved the code in one frame: the kernel and the other frames follow. */
    const passOn = (source, { z, label }) => {
      mover = source;
      model.set("z", z);
      model.set("label", label);
      mover = null;
      model.save_changes();
    };
    const follow = () => players().map((player) => player.contentWindow)
      .forEach((frame) => frame !== mover && tell(frame, { go: code() }));
    const answer = (content, buffers) => {
      if (content.here && ended) { ended = false; greetAll(); }
      const question = asked.get(content.serial);
      if (!question) return;
      asked.delete(content.serial);
      const bytes = buffers?.[0];
      const pixels = bytes && new Uint8Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
      tell(question.source, { answer: { serial: question.serial, pixels, error: content.error } });
    };
    // Sent when the line to the kernel breaks, and when it is there again: ask who answers.
    const check = () => {
      ended = true;
      asked.clear();
      greetAll();
      model.send({ ping: true });
    };
    const end = () => {
      ended = true;
      greetAll();
      stop();
    };
    const themes = new MutationObserver(() => !ended && greetAll());
    const stop = () => {
      window.removeEventListener("message", hear);
      themes.disconnect();
    };
    window.addEventListener("message", hear);
    themes.observe(document.body, { attributeFilter: ["data-jp-theme-light"] });
    model.on("msg:custom", answer);
    model.on("change:z", follow);
    model.on("change:label", follow);
    model.on("comm_live_update", check);
    model.on("comm:close", end);
    model.on("destroy", end);
    greetAll();
    return end;
  },

  /** A view, where the explorer stands in a box of widgets: the same player. */
  render({ model, el }) {
    const show = ({ page }) => { if (page) el.innerHTML = page; };
    model.on("msg:custom", show);
    model.send({ page: true });
    return () => model.off("msg:custom", show);
  },
};
