"""Sliders over a latent space in plain ipywidgets: short, so that it can be read and copied."""

import ipywidgets as widgets
from IPython.display import display

from labkit.explorer.decoding import ExplorerError
from labkit.explorer.latent import LatentExplorer
from labkit.explorer.live import has_frontend
from labkit.explorer.sheets import png
from labkit.player import stand_in


class LatentSliders:
    """A slider a latent, the most active first, and the picture that the decoder makes of the code.

    It takes what `LatentExplorer` takes. `sliders.explorer.z` is the code: the sliders move it and
    follow it. In a batch run, and once the kernel is gone, the explorer's player stands in.
    """

    def __init__(self, decode, latent_dim, **options):
        self.explorer = LatentExplorer(decode, latent_dim, **options)
        self.live = has_frontend() and not self.explorer.problem
        if self.live:
            self.sliders = {dim: self.slider(dim) for dim in self.explorer.latents.order[:128]}
            self.picture, self.problem = widgets.Image(format="png"), widgets.Label()
            self.explorer.observe(self.show, ["z", "label"])
            self.show()

    def slider(self, dim):
        """A slider that moves one latent, from −3 to 3 standard deviations around its start."""
        # While it is dragged, ipywidgets sends the next value only when the kernel has dealt with
        # the last one, and drops those in between. So the picture never lags behind.
        start, spread = self.explorer.latents.start[dim], self.explorer.latents.spread[dim]
        slider = widgets.FloatSlider(start, min=start - 3 * spread, max=start + 3 * spread, step=spread / 100)
        slider.description = f"latent {dim + 1}"
        slider.observe(lambda change: self.explorer.move(dim, change.new), "value")
        return slider

    def show(self, change=None):
        """Set the sliders to the code, and replace the picture's bytes."""
        for dim, slider in self.sliders.items():
            value = self.explorer.z[dim]  # one beyond the slider's end moves the end
            slider.min, slider.max = min(slider.min, value), max(slider.max, value)
            slider.value = value
        try:
            self.picture.value, self.problem.value = png(self.explorer.image), ""
        except ExplorerError as problem:
            self.problem.value = str(problem)

    def controls(self):
        """A column: class, test images, buttons, the eight most active latents, the others folded."""
        explorer, sliders = self.explorer, list(self.sliders.values())
        points = [(point.name, i) for i, point in enumerate(explorer.points)]
        go_to = widgets.Dropdown(options=[("choose", None), *points], description="go to")
        go_to.observe(lambda change: change.new is not None and explorer.go_to_point(change.new), "value")
        start, random = widgets.Button(description="back to the start"), widgets.Button(description="random")
        start.on_click(lambda _: explorer.go_to_start())
        random.on_click(lambda _: explorer.go_to_random())
        rows = [go_to, widgets.HBox([start, random]), *sliders[:8]]
        if explorer.classes:
            names = [(name, label) for label, name in enumerate(explorer.classes)]
            classes = widgets.Dropdown(options=names, description="class")
            widgets.link((explorer, "label"), (classes, "value"))
            rows.insert(0, classes)
        if sliders[8:]:
            rows.append(widgets.Accordion([widgets.VBox(sliders[8:])], titles=["further latents"]))
        return widgets.VBox([*rows, self.problem])

    def _ipython_display_(self):
        if self.live:
            display(widgets.HBox([self.picture, self.controls()]).add_class("labkit-sliders"))
            player = stand_in(self.explorer.html(live=False))  # hidden while the widgets are there
            display({"text/html": player, "text/plain": repr(self.explorer)}, raw=True)
        else:
            display(self.explorer)
