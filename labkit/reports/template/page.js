// Extras for a page that is whole without them: a switch for all code, enlarged figures,
// a folded table of contents on narrow screens.
"use strict";

const codeSwitch = document.getElementById("code-switch");
if (codeSwitch) {
  const folds = [...document.querySelectorAll("details.code")];
  codeSwitch.hidden = folds.length === 0;
  codeSwitch.addEventListener("click", () => {
    const show = codeSwitch.getAttribute("aria-pressed") !== "true";
    folds.forEach((fold) => { fold.open = show; });
    codeSwitch.setAttribute("aria-pressed", String(show));
    codeSwitch.textContent = show ? "Hide all code" : "Show all code";
  });
}

const contents = document.querySelector(".contents details");
const wide = window.matchMedia("(min-width: 70rem)");
const foldContents = () => { if (contents) contents.open = wide.matches; };
foldContents();
wide.addEventListener("change", foldContents);

// A link into a folded part opens it first, and a link to a cell opens the cell's code.
const unfold = () => {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  const around = target.closest("details:not([open])");
  if (around) around.open = true;
  if (target.matches(".cell")) target.querySelectorAll("details.code").forEach((fold) => { fold.open = true; });
  if (around) target.scrollIntoView();
};
window.addEventListener("hashchange", unfold);
unfold();

// What is wider than the page scrolls, and the keyboard has to reach it.
const reach = new ResizeObserver((entries) => entries.forEach(({ target }) => {
  if (target.scrollWidth > target.clientWidth || target.scrollHeight > target.clientHeight) target.tabIndex = 0;
  else target.removeAttribute("tabindex");
}));
document.querySelectorAll("pre, .formula, .html").forEach((box) => reach.observe(box));

const lightbox = document.getElementById("lightbox");
if (lightbox) {
  const enlarge = (image) => {
    const copy = image.cloneNode();
    copy.removeAttribute("width");
    lightbox.querySelector("img")?.remove();
    lightbox.append(copy);
    lightbox.showModal();
  };
  for (const image of document.querySelectorAll("figure > img")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.title = "Enlarge the figure";
    image.replaceWith(button);
    button.append(image);
    button.addEventListener("click", () => enlarge(image));
  }
  lightbox.addEventListener("click", () => lightbox.close());
}

// A player in a frame says how tall it is; nothing else of what it says is heard.
const players = [...document.querySelectorAll(".labkit-player iframe")];
window.addEventListener("message", ({ source, data }) => {
  const player = players.find((frame) => frame.contentWindow === source);
  if (player && Number.isFinite(data?.height)) player.style.height = `${Math.min(Math.max(data.height, 120), 4000)}px`;
});
for (const player of players) player.contentWindow.postMessage({ measure: true }, "*"); // some began before this script
