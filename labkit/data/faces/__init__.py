"""Faces: a file of one's own, the Olivetti faces, or rendered ones.

sources    where faces are looked for, and in which order
apart      a foreign .mat file, read in a process of its own
reader     a .mat file → upright images of 64×64 with labels, subjects, factors
layouts    which variable of the file holds the images, and how
scale      what of its values is black and what is white
companions what stands beside the images: labels, subjects, factors
matfile    the file's variables, by version: mat5 (4 to 7), mat73 (7.3); matvalues is what both use
olivetti   the Olivetti faces, known by their digest
synthetic  the renderer of faces of no real person; features is what it paints on them
"""
