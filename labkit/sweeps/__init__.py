"""One lab over a grid of parameters: which runs there are, what came of them, and a page of it.

grid       the combinations, and a folder for each
sweep      a sweep in its folder: what is in it, what is still to be run
results    results.csv and results.parquet
page       the table and the plots of a sweep as HTML
"""
