"""Lets ``python -m labkit`` stand for the command ``labkit``."""

import sys

from labkit.cli import main

sys.exit(main())
