"""Files with random damage: each kind of file that labkit reads is damaged in thousands of ways.

kinds       what is damaged, how it is read, and what must come of it
mutations   the damage
worker      a process that reads one file after another, so that a crash or a hang is seen
matlab      writes MATLAB files element by element

`python -m tests.fuzz mat 5000` damages 5,000 files of a kind; `make test` some hundreds.
"""
