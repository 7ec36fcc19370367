"""`python -m pipeline` is `sprout`."""

from pipeline.cli.main import main

main()
