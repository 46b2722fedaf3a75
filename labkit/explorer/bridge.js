// Joins the players' frames of one explorer to its kernel. The model has no view: JupyterLab
// makes it when the kernel opens it, and again when the page is loaded anew.

export default {
  initialize({ model }) {
    const key = model.get("key");
    const asked = new Map(); // serial of ours → frame and its own serial
    let [serial, last, ended] = [0, null, false];

    const players = () => [...document.querySelectorAll(".labkit-player iframe")];
    const theme = () => (document.body.dataset.jpThemeLight === "false" ? "dark" : document.body.dataset.jpThemeLight ? "light" : undefined);
    const tell = (frame, message, transfer = []) => frame.postMessage({ labkit: key, ...message }, "*", transfer);
    const greet = (frame) => tell(frame, { live: !ended, theme: theme(), last });
    const greetAll = () => players().forEach((player) => greet(player.contentWindow));

    const hear = ({ source, data }) => {
      if (data?.labkit !== key) return;
      const player = players().find((candidate) => candidate.contentWindow === source);
      if (!player) return;
      if (data.height) player.style.height = `${Math.min(Math.max(data.height, 120), 4000)}px`;
      if (data.hello) greet(source);
      if (!data.ask || ended) return;
      const { z, count, label } = data.ask;
      if (count === 1) last = { z: [...z], label }; // for a frame that is loaded anew
      asked.set(++serial, { source, serial: data.ask.serial });
      model.send({ serial, count, label }, undefined, [z.buffer]);
    };
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
    model.on("comm_live_update", check);
    model.on("comm:close", end);
    model.on("destroy", end);
    greetAll();
    return end;
  },
};
