"""`python -m pipeline` is `sprout`."""

from pipeline.cli import main

main()
